#!/usr/bin/env python3
"""Each rule of repo_test.py fails on a tree that breaks it, and on nothing else."""
import pathlib
import tempfile
import unittest

import cpp_text
import repo_test

HEADER = "#pragma once\n"
CMAKE = "saffron_library(x SOURCES thing.cc)\n"


def violations_of(files):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        return repo_test.violations(root)


def tree(where, text, **more):
    """A source file that is listed, with what it includes."""
    folder = where.rsplit("/", 1)[0]
    return {where: text, f"{folder}/CMakeLists.txt": CMAKE, **more}


class RulesTest(unittest.TestCase):
    def expect(self, files, *rules):
        self.assertEqual([found[0] for found in violations_of(files)], list(rules))

    def test_a_clean_tree_is_clean(self):
        self.expect({
            "src/base/thing.h": HEADER,
            **tree("src/base/thing.cc", '#include "base/thing.h"\nint F() {\n  return 1;\n}\n'),
            "README.md": "# A\n[thing](src/base/thing.h) [here](#a)\n",
        })

    def test_layers(self):
        cases = [
            ("src/base/thing.cc", "domain/names.h"),
            ("src/domain/thing.cc", "ports/bus.h"),
            ("src/net/thing.cc", "domain/names.h"),
            ("src/eventlog/thing.cc", "services/oms/oms.h"),
            ("src/adapters/sqlite/thing.cc", "eventlog/slot.h"),
            ("src/adapters/sqlite/thing.cc", "adapters/memory/bus.h"),
            ("src/services/instance/thing.cc", "services/oms/oms.h"),
            ("src/services/worker/thing.cc", "services/instance/x.h"),
            ("src/services/worker/thing.cc", "net/http.h"),
            ("src/app/thing.cc", "adapters/memory/bus.h"),
            ("src/app/thing.cc", "testing/sim/sim.h"),
        ]
        for name, included in cases:
            with self.subTest(name=name, included=included):
                self.expect(tree(name, f'#include "{included}"\n'), "forbidden-include")

    def test_what_layers_allow(self):
        cases = [
            ("src/services/instance/thing.cc", "services/worker/worker.h"),
            ("src/services/oms/thing.cc", "net/http_server.h"),
            ("src/adapters/sqlite/thing.cc", "adapters/embedded/paths.h"),
            ("src/adapters/s3/thing.cc", "net/http_client.h"),
            ("src/app/thing.cc", "services/oms/oms.h"),
        ]
        for name, included in cases:
            with self.subTest(name=name, included=included):
                self.expect(tree(name, f'#include "{included}"\n'))

    def test_only_wire_names_adapters(self):
        self.expect({"src/app/wire_log.cc": '#include "adapters/memory/bus.h"\n',
                     "src/app/CMakeLists.txt": "saffron_library(a SOURCES wire_log.cc)\n"})

    def test_lengths(self):
        self.expect(tree("src/base/thing.cc", "\n" * 501), "file-length")
        self.expect(tree("src/base/thing.cc", "// " + "x" * 98 + "\n"), "line-length")
        body = "void F() {\n" + "  G();\n" * 69 + "}\n"
        self.expect(tree("src/base/thing.cc", body), "function-length")
        body = "class C {\n" + "  void F() {}\n" * 90 + "};\n"
        self.expect(tree("src/base/thing.cc", body))

    def test_dead_files(self):
        self.expect({"src/base/dead.cc": ""}, "dead-file")
        self.expect({"src/base/dead.h": HEADER}, "dead-file")
        self.expect({"src/base/CMakeLists.txt": "# dead.cc\n", "src/base/dead.cc": ""},
                    "dead-file")

    def test_unregistered_tests(self):
        self.expect({"src/base/lost_test.cc": ""}, "unregistered-test")
        self.expect({"tests/system/lost_test.py": ""}, "unregistered-test")

    def test_names(self):
        self.expect({"src/base/util.md": ""}, "forbidden-name")
        self.expect({"src/common/a.md": ""}, "forbidden-name")
        self.expect(tree("src/base/thing.cc", "class LeaseManager;\n"), "forbidden-name")
        self.expect(tree("src/base/thing.cc", "// class LeaseManager\n"))

    def test_words(self):
        self.expect(tree("src/base/thing.cc", "// TO" + "DO: later\n"), "forbidden-word")
        self.expect({"docs/a.md": "see ../" + "shared/x\n"}, "forbidden-word")
        self.expect({"tests/a.md": "see ../" + "shared/x\n"})

    def test_links(self):
        self.expect({"a.md": "[x](gone.md)\n"}, "broken-link")
        self.expect({"a.md": "# One\n[x](#two)\n"}, "broken-link")
        self.expect({"a.md": "`[x](gone.md)` [y](https://example.org)\n"})

    def test_pragma_once(self):
        self.expect(tree("src/base/thing.cc", '#include "base/thing.h"\n',
                         **{"src/base/thing.h": "\n"}), "pragma-once")


class CppTextTest(unittest.TestCase):
    def test_literals_and_comments_hide_braces(self):
        source = 'void F() {\n  G("}", \'}\', R"x(})x");  // }\n  /* } */\n}\nint a = 1\'000;\n'
        self.assertEqual(list(cpp_text.function_lengths(source.split("\n"))), [(1, 4)])

    def test_functions_in_classes_and_namespaces(self):
        source = "namespace a {\nclass B : C {\n  B() : d_(1) {\n  }\n  int e_ = 0;\n};\n}\n"
        self.assertEqual(list(cpp_text.function_lengths(source.split("\n"))), [(3, 2)])

    def test_a_table_is_no_function(self):
        source = "const auto kA = F({\n  {1},\n  {2},\n});\nconst int kB[] = {\n  1};\n"
        self.assertEqual(list(cpp_text.function_lengths(source.split("\n"))), [])


def main():
    result = unittest.TextTestRunner(verbosity=0).run(
        unittest.defaultTestLoader.loadTestsFromName("__main__"))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
