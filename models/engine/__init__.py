"""Fast exact scoring and explaining of LightGBM trees, LightGBM itself being oracle and fallback."""

from models.engine.choose import Difference, compare, compile_engine
from models.engine.compiled import warm_up
from models.engine.engine import Engine, TreeEngine
from models.engine.factored import ColumnSplit, PreparedBlock
from models.engine.fallback import LightGBMEngine

__all__ = [
    "ColumnSplit",
    "Difference",
    "Engine",
    "LightGBMEngine",
    "PreparedBlock",
    "TreeEngine",
    "compare",
    "compile_engine",
    "warm_up",
]
