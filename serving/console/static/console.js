/* What pages cannot do without a script: filters that apply as you type, dropping a file, following a slider. */
"use strict";
const here = document.querySelector(".side [aria-current]");
const bar = document.querySelector(".side");
if (here && bar && bar.scrollWidth > bar.clientWidth) { bar.scrollLeft = here.offsetLeft - (bar.clientWidth - here.offsetWidth) / 2; }
document.addEventListener("dragover", (event) => {
  const area = event.target.closest && event.target.closest(".drop");
  if (area) { event.preventDefault(); area.classList.add("over"); }
});
document.addEventListener("dragleave", (event) => {
  const area = event.target.closest && event.target.closest(".drop");
  if (area) { area.classList.remove("over"); }
});
document.addEventListener("drop", (event) => {
  const area = event.target.closest && event.target.closest(".drop");
  const input = area && area.querySelector("input[type=file]");
  if (!input || !event.dataTransfer.files.length) { return; }
  event.preventDefault();
  area.classList.remove("over");
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});
document.addEventListener("input", (event) => {
  const shown = event.target.type === "range" && document.getElementById(event.target.id + "-shown");
  if (shown) { shown.textContent = event.target.value; }
});
