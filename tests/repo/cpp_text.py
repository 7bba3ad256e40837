"""C++ as text: comments and literals blanked, functions found by their braces."""
import re

RAW_STRING = re.compile(r'R"([^()\\\s]{0,16})\(')


def blank_comments_and_strings(text):
    """`text` with comments, strings and characters turned to spaces; lines and columns stay."""
    out = []
    at = 0

    def blank(end):
        nonlocal at
        out.append(re.sub(r"[^\n]", " ", text[at:end]))
        at = end

    while at < len(text):
        rest = text[at:at + 2]
        if rest == "//":
            end = text.find("\n", at)
            blank(len(text) if end < 0 else end)
        elif rest == "/*":
            end = text.find("*/", at + 2)
            blank(len(text) if end < 0 else end + 2)
        elif rest == 'R"' and RAW_STRING.match(text, at):
            delimiter = RAW_STRING.match(text, at).group(1)
            end = text.find(f'){delimiter}"', at)
            blank(len(text) if end < 0 else end + len(delimiter) + 2)
        elif text[at] == '"' or (text[at] == "'" and not text[at - 1:at].isalnum()):
            quote, end = text[at], at + 1
            while end < len(text) and text[end] not in (quote, "\n"):
                end += 2 if text[end] == "\\" else 1
            blank(min(end + 1, len(text)))
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


def opens_function(head):
    """Whether the text before a brace, at namespace or class level, is the head of a function."""
    head = re.sub(r"\[\[.*?\]\]|\balignas\(\w+\)", " ", head, flags=re.DOTALL)
    head = re.sub(r"^\s*template\s*<", "<", head)
    if re.search(r"\b(namespace|class|struct|union|enum|extern)\b[^()]*$", head):
        return False
    if head.rstrip().endswith(("=", ",", "return")):
        return False
    # A brace among arguments opens a list.
    return "(" in head and head.count("(") == head.count(")")


def function_lengths(lines):
    """Yields (line of the opening brace, number of lines of the body with its braces) for each."""
    text = "\n".join("" if line.lstrip().startswith("#") else line for line in lines)
    text = blank_comments_and_strings(text)
    stack = []  # of each open brace: "function", "inside" (one) or "scope"
    starts = []
    head_begin = 0
    line = 1
    for at, c in enumerate(text):
        if c == "\n":
            line += 1
        elif c == "{":
            if "function" in stack:
                stack.append("inside")
            elif opens_function(text[head_begin:at]):
                stack.append("function")
                starts.append(line)
            else:
                stack.append("scope")
            head_begin = at + 1
        elif c == "}" and stack:
            if stack.pop() == "function":
                start = starts.pop()
                yield start, line - start + 1
            head_begin = at + 1
        elif c == ";":
            head_begin = at + 1
