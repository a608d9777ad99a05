"""`python -m partnerintel`."""

from partnerintel.cli import main

if __name__ == "__main__":
    main()
