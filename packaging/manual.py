#!/usr/bin/env python3
"""manual.py FOLDER: turns what ArgumentParser's generate-manual wrote there (mqctl.VERB.1) into pages that man finds and
mandoc has no complaint about (mqctl-VERB.1).

Examples in a command's discussion are lines indented by two; they become displays. The exit codes are mqctl's own.
"""
import pathlib
import re
import sys

CODES = [
    ("0", "Done, or already so."), ("1", "Anything that has no code of its own."), ("2", "Bad usage."),
    ("3", "It conflicts with what exists."), ("4", "It is not permitted."), ("5", "The kernel lacks it."),
]


def escape(text):
    """Words that roff would read as its own."""
    text = re.sub(r"(?<![\w-])--?(?=[\w-]|\s|$|')", lambda m: r"\-" * len(m[0]), text)
    return r"\&" + text if text.startswith((".", "'")) else text


def sentences(text):
    """A sentence a line, none much longer than mandoc likes."""
    for sentence in re.split(r"(?<=[.:;?])\s+(?=\S)", text.strip()):
        line = ""
        for word in sentence.split():
            if line and len(line) + len(word) > 72:
                yield escape(line)
                line = ""
            line += (" " if line else "") + word
        if line:
            yield escape(line)


def body(lines):
    """Running text and displays."""
    display = paragraph = False
    out = []
    for line in lines:
        if line.startswith("  "):
            if not display:
                out += [".Bd -literal -offset indent"]
            display, paragraph = True, False
            out.append(escape(line.removeprefix("  ")).replace("\\\n", "\\e\n") if not line.endswith("\\")
                       else escape(line.removeprefix("  ")[:-1]) + r"\e")
            continue
        if display:
            out.append(".Ed")
            display, paragraph = False, True
            if not line:
                out.append(".Pp")
                paragraph = False
                continue
        if not line:
            paragraph = bool(out)
        elif line.startswith("."):
            if paragraph and not line.startswith(".Bl"):
                out.append(".Pp")
            paragraph = False
            out.append(line)
        else:
            if paragraph:
                out.append(".Pp")
            paragraph = False
            out += sentences(line)
    if display:
        out.append(".Ed")
    return out


def page(text, verbs):
    head, rest = text.split(".Sh DESCRIPTION\n", 1)
    rest, _ = re.split(r'\.Sh "EXIT STATUS"\n', rest, maxsplit=1)
    rest, _, see = rest.partition('.Sh "SEE ALSO"\n')
    head = re.sub(r"\.Dt MQCTL\.(\S+) 1", lambda m: f".Dt MQCTL-{m[1]} 1", head)
    head = re.sub(r'\.Nm "mqctl (\S+)"', r".Nm mqctl-\1", head)
    head = re.sub(r'(\.Nd "?.*?)\.?"?\n', lambda m: m[1].replace('.Nd "', ".Nd ") + "\n", head)
    verb = re.search(r"\.Dt MQCTL-(\S+) 1", head)
    if verb:
        # The page is mqctl-create's, the words are 'mqctl create'.
        head = head.replace(".Sh SYNOPSIS\n.Nm\n", f".Sh SYNOPSIS\n.Nm mqctl {verb[1].lower()}\n")
    out = head.rstrip("\n").split("\n") + [".Sh DESCRIPTION"] + body(rest.split("\n"))
    out += ['.Sh EXIT STATUS', ".Bl -tag -width 6n"]
    for code, meaning in CODES:
        out += [f".It {code}", meaning]
    if verb and verb[1] == "PLAN":
        out += [".It 10", "There is something to do."]
    out += [".El", ".Sh SEE ALSO"]
    if verb:
        pages = [("mqctl", 1)]
    else:
        pages = [(f"mqctl-{name}", 1) for name in sorted(verbs)]
    pages += [("ip", 8)]
    pages.sort(key=lambda entry: (entry[1], entry[0]))
    out += [f".Xr {name} {section}" + (" ," if number < len(pages) - 1 else "")
            for number, (name, section) in enumerate(pages)]
    return "\n".join(out) + "\n"


def main():
    folder = pathlib.Path(sys.argv[1])
    (folder / "mqctl.help.1").unlink(missing_ok=True)
    pages = sorted(folder.glob("mqctl*.1"))
    verbs = [p.name.split(".")[1] for p in pages if p.name != "mqctl.1"]
    for path in pages:
        text = page(path.read_text(), verbs)
        path.unlink()
        (folder / path.name.replace("mqctl.", "mqctl-", path.name != "mqctl.1")).write_text(text)


main()
