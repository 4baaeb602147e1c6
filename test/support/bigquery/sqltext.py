"""What the stand-in reads of a text before the engine sees it: comments, statements, names, options."""

import re

PART = r"(?:`[^`]+`|[A-Za-z_][\w-]*)"
NAME = rf"{PART}(?:\s*\.\s*{PART}){{0,2}}"
LITERAL = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`[^`]*`", re.DOTALL)


def pieces(sql):
    """The text in pieces: (what a quote encloses or None, the text), without comments."""
    i, plain = 0, []
    while i < len(sql):
        quoted = LITERAL.match(sql, i)
        if quoted:
            yield "".join(plain), None
            plain = []
            yield quoted[0], quoted[0][0]
            i = quoted.end()
        elif sql.startswith("--", i) or sql[i] == "#":
            end = sql.find("\n", i)
            i = len(sql) if end < 0 else end
        elif sql.startswith("/*", i):
            end = sql.find("*/", i)
            i = len(sql) if end < 0 else end + 2
            plain.append(" ")
        else:
            plain.append(sql[i])
            i += 1
    yield "".join(plain), None


def statements(sql):
    """The statements of a script, each without comments and its semicolon."""
    found = [[]]
    for text, quote in pieces(sql):
        if quote:
            found[-1].append(text)
            continue
        first, *others = text.split(";")
        found[-1].append(first)
        found += [[other] for other in others]
    return [text for text in ("".join(parts).strip() for parts in found) if text]


def split_name(name, project):
    """(project, dataset, table) of a dotted name, with or without a quote around all of it."""
    parts = ".".join(p.strip("`") for p in re.findall(PART, name)).split(".")
    return tuple([project] * (3 - len(parts)) + parts)


def split_commas(text):
    """At the commas that no parenthesis, bracket or quote encloses."""
    found, depth, current = [], 0, ""
    for piece, quote in pieces(text):
        for c in [piece] if quote else piece:
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(c, 0)
            if c == "," and depth == 0:
                found.append(current.strip())
                current = ""
            else:
                current += c
    return [f for f in [*found, current.strip()] if f]


def balanced(text, start):
    """Behind the parenthesis that closes the one at `start`."""
    depth, at = 0, 0
    for piece, quote in pieces(text[start:]):
        for c in [piece] if quote else piece:
            at += len(c)
            depth += {"(": 1, ")": -1}.get(c, 0)
            if depth == 0:
                return start + at
    return len(text)


def take_options(text):
    """({name: expression}, the text without them) of `options (..)`."""
    found = re.search(r"\boptions\s*\(", text, re.IGNORECASE)
    if not found:
        return {}, text
    end = balanced(text, found.end() - 1)
    given = split_commas(text[found.end() : end - 1])
    options = dict(re.split(r"\s*=\s*", option, maxsplit=1) for option in given)
    return {k.strip("`").lower(): v for k, v in options.items()}, text[: found.start()] + text[end:]


def unquote(text):
    """The value of a literal; None for `null` and what is none."""
    text = text.strip()
    if not LITERAL.fullmatch(text):
        return None
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text[1:-1], flags=re.DOTALL)


def quote(text):
    """As the service prints a text."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def literal(value):
    if isinstance(value, list):
        return f"[{', '.join(map(quote, value))}]"
    return "null" if value is None else quote(value)
