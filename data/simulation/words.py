"""Word lists of the simulated prompts. All names and texts are made up for this project."""

from __future__ import annotations

NAMES = (
    "Amara", "Bruno", "Chloe", "Dmitri", "Elif", "Farah", "Goran", "Hanna", "Ines", "Jonas",
    "Keiko", "Lars", "Mirela", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Samir", "Tove",
    "Ulises", "Vera", "Wanjiru", "Ximena", "Yusuf", "Zoe", "Anneke", "Baptiste", "Ciara", "Dov",
)  # fmt: skip
GOODS = (
    "apples", "bricks", "candles", "postcards", "marbles", "tickets", "seedlings", "notebooks",
    "eggs", "tiles", "lanterns", "buttons", "coins", "batteries", "pastries", "jars of honey",
    "sea shells", "bolts", "stickers", "parcels", "umbrellas", "spoons", "ribbons", "bottles",
)  # fmt: skip
PLACES = (
    "a bakery", "the harbour office", "a village school", "a bicycle shop", "the town museum",
    "a garden centre", "a printing works", "the post office", "a toy factory", "a mountain hut",
    "a railway kiosk", "the city library", "a farm near the lake", "a weekend market",
)  # fmt: skip
CITIES = (
    "Lisbon", "Tampere", "Kraków", "Valparaíso", "Nairobi", "Hanoi", "Tbilisi", "Montréal",
    "Osaka", "Leeds", "Porto Alegre", "Ghent", "Izmir", "Adelaide", "Casablanca", "Bergen",
    "Graz", "Medellín", "Tartu", "Chennai", "Durban", "Lyon", "Gdańsk", "Perth",
)  # fmt: skip
COMPANIES = (
    "Northwind Tools", "Halle & Söhne", "Bluefin Logistics", "Orchard Dental", "Mistral Textiles",
    "Pemba Coffee", "Kite Software", "Sable Insurance", "Ridgeline Outdoor", "Tamarind Foods",
    "Quarry Street Books", "Alder Energy", "Lantern Films", "Copperfield Pumps",
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
PRODUCTS = (
    "desk lamp", "water filter", "office chair", "espresso machine", "hiking tent", "label printer",
    "bicycle pump", "noise-cancelling headset", "steel cabinet", "garden hose", "standing desk",
    "camera bag", "air purifier", "router", "kettle", "projector",
)  # fmt: skip

LANGUAGES: tuple[tuple[str, float], ...] = (
    ("Python", 0.0), ("Python", 0.0), ("JavaScript", 0.0), ("TypeScript", 0.03), ("Go", 0.05),
    ("Java", 0.03), ("Rust", 0.14), ("C++", 0.1), ("C", 0.1), ("Haskell", 0.2), ("Bash", 0.06),
    ("COBOL", 0.3), ("Kotlin", 0.05), ("OCaml", 0.2), ("x86-64 assembly", 0.35),
)  # fmt: skip
CODE_TASKS: tuple[tuple[str, float], ...] = (
    ("reverses a string", 0.02),
    ("returns the sum of all even numbers in a list", 0.02),
    ("counts how often each word occurs in a text file", 0.08),
    ("checks whether two words are anagrams", 0.05),
    ("removes duplicates from a list and keeps the order", 0.06),
    ("converts Roman numerals to integers and back", 0.15),
    ("parses an ISO 8601 duration into seconds", 0.27),
    ("merges overlapping time intervals", 0.2),
    ("validates an IBAN with its check digits", 0.25),
    ("computes the edit distance of two strings", 0.25),
    ("finds the shortest path in a weighted grid with one-way cells", 0.38),
    ("implements an LRU cache with a time to live per entry", 0.38),
    ("evaluates arithmetic expressions with brackets and unary minus", 0.42),
    ("serialises a binary tree to a compact string and restores it", 0.35),
    ("schedules jobs with deadlines and profits on m machines", 0.5),
    ("finds all strongly connected components of a directed graph", 0.45),
    ("matches wildcard patterns with * and ? against long strings", 0.4),
    ("solves a Sudoku and reports whether the solution is unique", 0.5),
    ("keeps a sorted set with rank queries in a skip list", 0.58),
    ("implements a lock-free queue for one producer and many consumers", 0.72),
    ("computes the convex hull of points given as exact fractions", 0.52),
    ("implements the Raft leader election as a state machine", 0.75),
    ("finds a maximum-weight matching in a general graph", 0.85),
    ("compiles regular expressions to a minimal deterministic automaton", 0.75),
)
CODE_LIMITS: tuple[tuple[str, float], ...] = (
    ("It must run in O(n log n) time.", 0.1),
    ("Use only the standard library.", 0.02),
    ("Do it without loops; use recursion only.", 0.1),
    ("It has to handle Unicode combining characters correctly.", 0.15),
    ("Add unit tests.", 0.05),
    ("Memory is limited to a constant amount beyond the input.", 0.14),
    ("It must be safe to call from several threads at once.", 0.16),
    ("Include type annotations and a docstring.", 0.02),
    ("The input may be larger than memory and arrives as a stream.", 0.17),
    ("Invalid input must raise an error that names the position.", 0.07),
    ("Prove in a comment why it terminates.", 0.15),
    ("Keep it under twenty lines.", 0.06),
)
SNIPPETS: tuple[tuple[str, float], ...] = (
    ("for i in range(len({a})):\n    if {a}[i] == {n}:\n        {a}.remove({a}[i])", 0.15),
    ("def add(x, {a}=[]):\n    {a}.append(x * {n})\n    return {a}\nprint(add(1), add({k}))", 0.2),
    ("let {a} = [{n}, {k}, 1];\n{a}.sort();\nconsole.log({a});", 0.22),
    ("total = 0\nfor x in {a}:\n    total =+ x * {n}\nprint(total)", 0.12),
    (
        "fs = [lambda x: x + i for i in range({k})]\n{a} = [f({n}) for f in fs]\nprint({a})",
        0.35,
    ),
    (
        "int *make_{a}(void) {{\n    int {b}[{n}];\n    for (int i = 0; i <= {n}; i++) "
        "{b}[i] = i;\n    return {b};\n}}",
        0.38,
    ),
    (
        "func main() {{\n  {a} := make(map[int]int)\n  for i := 0; i < {n}; i++ {{\n"
        "    go func() {{ {a}[i%{k}]++ }}()\n  }}\n  fmt.Println(len({a}))\n}}",
        0.55,
    ),
    (
        "async def load({a}):\n    {b} = []\n    async def one(x):\n        "
        "{b}.append(await get(x))\n    asyncio.gather(*[one(x) for x in {a}[:{n}]])\n    "
        "return {b}",
        0.5,
    ),
    (
        "std::vector<int> {a}({n});\nauto first = {a}.begin();\n{a}.push_back({k});\n"
        "std::sort(first, {a}.end());",
        0.55,
    ),
    (
        "SELECT {a}.id, COUNT(*) FROM {a} LEFT JOIN {b} ON {a}.id = {b}.parent\n"
        "WHERE {b}.state <> 'void' AND {b}.level > {k} GROUP BY {a}.id HAVING COUNT(*) < {n};",
        0.5,
    ),
    (
        "std::atomic<int> {a}{{0}};\nint {b} = 0;\n// thread 1\n{b} = {n};\n"
        "{a}.store(1, std::memory_order_relaxed);\n// thread 2\n"
        "while (!{a}.load(std::memory_order_relaxed));\nassert({b} == {n});",
        0.78,
    ),
)
SQL_TABLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("customers", ("customer_id", "name", "city", "joined_on")),
    ("orders", ("order_id", "customer_id", "placed_on", "amount", "state")),
    ("shipments", ("shipment_id", "order_id", "carrier", "weight_kg", "left_on")),
    ("employees", ("employee_id", "manager_id", "team", "salary", "hired_on")),
    ("readings", ("sensor_id", "measured_at", "celsius", "humidity")),
    ("lessons", ("lesson_id", "teacher_id", "room", "starts_at", "pupils")),
    ("tickets", ("ticket_id", "opened_on", "closed_on", "priority", "agent")),
)
