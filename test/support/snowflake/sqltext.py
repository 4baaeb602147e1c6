"""What the stand-in reads of a statement before the engine sees it: comments, names, its kind."""

import re

WORD = r'(?:"(?:[^"]|"")*"|[A-Za-z_][A-Za-z0-9_$]*)'
NAME = rf"{WORD}(?:\s*\.\s*{WORD}){{0,2}}"


def strip_comments(sql):
    """Without comments and the final semicolon; what stands in quotes is left alone."""
    out, i = [], 0
    while i < len(sql):
        if sql[i] in "'\"":
            end = i + 1
            while end < len(sql) and sql[end] != sql[i]:
                end += 2 if sql[i] == "'" and sql[end] == "\\" else 1
            out.append(sql[i : end + 1])
            i = end + 1
        elif sql.startswith("--", i):
            end = sql.find("\n", i)
            i = len(sql) if end < 0 else end
        elif sql.startswith("/*", i):
            end = sql.find("*/", i)
            i = len(sql) if end < 0 else end + 2
            out.append(" ")
        else:
            out.append(sql[i])
            i += 1
    return "".join(out).strip().rstrip(";").strip()


def split_name(name):
    """The parts of a dotted name as the catalog has them: folded unless quoted."""
    parts = re.findall(WORD, name)
    return [p[1:-1].replace('""', '"') if p[0] == '"' else p.upper() for p in parts]


def quoted(*parts):
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def literal(text):
    return "null" if text is None else "'" + str(text).replace("'", "''") + "'"
