"""The tools: an invented shop, where real ones would ask a server."""

PRICES = {"kettle": 24, "lamp": 36, "blanket": 48, "chair": 120, "clock": 18, "mirror": 64}
STOCK = {"kettle": 7, "lamp": 3, "blanket": 12, "chair": 2, "clock": 31, "mirror": 9}


def price(of: str) -> str:
    """What an item costs."""
    return f"{PRICES[of]} dollars" if of in PRICES else f"there is no {of}"


def stock(of: str) -> str:
    """How many pieces of an item there are."""
    return f"{STOCK[of]} pieces" if of in STOCK else f"there is no {of}"


def half(of: str) -> str:
    """Half of a number."""
    return f"{float(of) / 2:g}" if of.isdecimal() else f"{of} is no number"
