#!/usr/bin/env python3
"""Checks the rules of the tree: repo_test.py [ROOT]

Prints each violation as "file:line: rule: what" and, last, "N passed, N failed", a rule being one
test. repo_rules_test.py proves that each rule can fail.
"""
import pathlib
import re
import sys

from cpp_text import blank_comments_and_strings, function_lengths

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70
MAX_LINE_COLUMNS = 100

# What a layer of src/ may include beside itself.
LAYERS = {
    "base": set(),
    "domain": {"base"},
    "ports": {"base", "domain"},
    "eventlog": {"base", "domain", "ports"},
    "services": {"base", "domain", "ports", "eventlog"},
    "net": {"base"},
    "adapters": {"base", "domain", "ports", "net"},
    "app": {"base", "domain", "ports", "eventlog", "services", "net", "adapters"},
}
# Services that build on another one.
SERVICES_ON_WORKER = {"ontology", "instance", "projection"}

FORBIDDEN_NAMES = {"util", "utils", "common", "helper", "helpers", "manager"}
FORBIDDEN_TYPE = re.compile(r"\b(?:class|struct|enum(?: class)?)\s+(\w*(?:Manager|Helper)s?)\b")
# Written so that this file does not contain what it looks for.
FORBIDDEN_WORDS = re.compile(r"\b(" + "TO" + "DO|FIX" + r"ME|XX" + r"X)\b")
OUTSIDE = "../" + "shared"
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
TEXT_SUFFIXES = {".h", ".cc", ".py", ".sh", ".md", ".txt", ".cmake", ".json", ".yml", ".yaml", ""}


class Repository:
    """The files of a checkout, read once."""

    def __init__(self, root):
        self.root = root
        self.files = {}
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            parts = name.split("/")
            hidden = any(part.startswith(".") and part != ".ci" for part in parts)
            if hidden or parts[0] == "build" or "__pycache__" in parts or not path.is_file():
                continue
            if path.suffix in TEXT_SUFFIXES:
                self.files[name] = path.read_text(encoding="utf-8", errors="replace").splitlines()

    def sources(self, *suffixes):
        return {name: lines for name, lines in self.files.items() if name.endswith(suffixes)}


def includes_of(lines):
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def is_test_code(name):
    """Tests beside their code, and what only they link."""
    stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return stem.endswith(("_test", "_test_support", "_test_home", "_bench"))


def forbidden_include(name, included):
    """Why `name` may not include `included`; nothing when it may."""
    parts = name.split("/")
    target = included.split("/")
    if parts[0] != "src":
        return None
    layer = parts[1]
    if is_test_code(name):
        return None
    if target[0] in ("testing", "tests", "bench"):
        return "only tests see " + target[0]
    if target[0] not in LAYERS or layer not in LAYERS:
        return None
    if target[0] == "adapters" and layer == "app" and not parts[-1].startswith("wire"):
        return "adapters are named only in src/app/wire*.cc"
    if layer == "services" and target[0] == "net" and parts[2] in ("oms",):
        return None
    if target[0] != layer:
        allowed = target[0] in LAYERS[layer]
        return None if allowed else f"{layer} may not include {target[0]}"
    if layer == "services" and target[1] != parts[2]:
        on_worker = target[1] == "worker" and parts[2] in SERVICES_ON_WORKER
        return None if on_worker else f"services/{parts[2]} may not include services/{target[1]}"
    if layer == "adapters" and target[1] not in (parts[2], "embedded"):
        return f"adapters/{parts[2]} may not include adapters/{target[1]}"
    return None


def check_includes(repo):
    for name, lines in repo.sources(".h", ".cc").items():
        for number, included in includes_of(lines):
            why = forbidden_include(name, included)
            if why:
                yield name, number, why


def check_file_length(repo):
    for name, lines in repo.sources(".h", ".cc", ".py", ".sh").items():
        if len(lines) > MAX_FILE_LINES:
            yield name, len(lines), f"{len(lines)} lines, at most {MAX_FILE_LINES}"


def check_line_length(repo):
    for name, lines in repo.sources(".h", ".cc", ".py", ".sh").items():
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_LINE_COLUMNS:
                yield name, number, f"{len(line)} columns, at most {MAX_LINE_COLUMNS}"


def check_function_length(repo):
    for name, lines in repo.sources(".h", ".cc").items():
        for start, length in function_lengths(lines):
            if length > MAX_FUNCTION_LINES:
                yield name, start, f"a function of {length} lines, at most {MAX_FUNCTION_LINES}"


def cmake_words(repo, folder):
    text = "\n".join(repo.files.get(f"{folder}/CMakeLists.txt", []))
    words = re.findall(r"[\w./-]+", re.sub(r"#.*", "", text))
    return {word.lstrip("/") for word in words}


def is_listed(repo, name):
    parts = name.split("/")
    for depth in range(len(parts) - 1, 0, -1):
        folder = "/".join(parts[:depth])
        if "/".join(parts[depth:]) in cmake_words(repo, folder):
            return True
    return False


def check_dead_files(repo):
    included = set()
    for name, lines in repo.sources(".h", ".cc").items():
        folder = name.rsplit("/", 1)[0]
        for _, target in includes_of(lines):
            included |= {target, f"src/{target}", f"{folder}/{target}"}
    for name in repo.sources(".cc"):
        if not is_listed(repo, name) and not name.endswith("_test.cc"):
            yield name, 1, "in no CMakeLists.txt"
    for name in repo.sources(".h"):
        if name not in included:
            yield name, 1, "included by nothing"


def check_unregistered_tests(repo):
    for name in repo.sources("_test.cc", "_fuzz.cc"):
        if not is_listed(repo, name):
            yield name, 1, "a test that no CMakeLists.txt runs"
    for name in repo.sources("_test.py"):
        if not is_listed(repo, name):
            yield name, 1, "a test that no CMakeLists.txt runs"


def check_names(repo):
    for name in repo.files:
        for part in name.split("/"):
            words = re.split(r"[._-]", part.lower())
            # A file named for what it is may end in .common.json and the like; folders and
            # sources may not.
            if FORBIDDEN_NAMES & set(words[:-1] if "." in part else words):
                yield name, 1, f'"{part}" says nothing about what is in it'
    for name, lines in repo.sources(".h", ".cc").items():
        text = blank_comments_and_strings("\n".join(lines)).split("\n")
        for number, line in enumerate(text, 1):
            for found in FORBIDDEN_TYPE.findall(line):
                yield name, number, f"{found}: name it by what it does"


def check_words(repo):
    for name, lines in repo.files.items():
        for number, line in enumerate(lines, 1):
            match = FORBIDDEN_WORDS.search(line)
            if match:
                yield name, number, f'"{match.group(1)}": do it, or make an issue of it'
            if OUTSIDE in line and not name.startswith("tests/"):
                yield name, number, "the project stands alone"


def anchor_of(heading):
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", lambda m: m.group(1) or "", heading).strip()
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def anchors_in(lines):
    return {anchor_of(line.lstrip("#")) for line in lines if line.startswith("#")}


def link_problem(repo, name, target):
    if re.match(r"[a-z]+:", target):
        return None
    path, _, anchor = target.partition("#")
    folder = (repo.root / name).parent
    resolved = (folder / path).resolve() if path else (repo.root / name)
    if not resolved.exists():
        return f"{target} does not exist"
    lines = None
    if resolved.suffix == ".md":
        lines = resolved.read_text(encoding="utf-8").splitlines()
    if anchor and lines is not None and anchor not in anchors_in(lines):
        return f"{path or name} has no heading #{anchor}"
    return None


def check_links(repo):
    for name, lines in repo.sources(".md").items():
        fenced = False
        for number, line in enumerate(lines, 1):
            if line.lstrip().startswith("```"):
                fenced = not fenced
            if fenced or line.startswith("    "):
                continue
            plain = re.sub(r"`[^`]*`", "", line)
            for target in re.findall(r"\]\(\s*<?([^)\s>]+)", plain):
                problem = link_problem(repo, name, target)
                if problem:
                    yield name, number, problem


def check_pragma_once(repo):
    for name, lines in repo.sources(".h").items():
        if "#pragma once" not in lines:
            yield name, 1, "no #pragma once"


RULES = {
    "forbidden-include": check_includes,
    "file-length": check_file_length,
    "line-length": check_line_length,
    "function-length": check_function_length,
    "dead-file": check_dead_files,
    "unregistered-test": check_unregistered_tests,
    "forbidden-name": check_names,
    "forbidden-word": check_words,
    "broken-link": check_links,
    "pragma-once": check_pragma_once,
}


def violations(root):
    """All violations of the tree at `root`: (rule, file, line, what)."""
    repo = Repository(root)
    return [(rule, *found) for rule, check in RULES.items() for found in check(repo)]


def main():
    default = pathlib.Path(__file__).resolve().parent.parent.parent
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else default
    found = violations(root)
    for rule, name, number, what in found:
        print(f"{name}:{number}: {rule}: {what}")
    failed = len({rule for rule, *_ in found})
    print(f"{len(RULES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
