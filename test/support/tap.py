"""unittest as TAP: `tap.main()` at the end of a file of tests, in the order of the file."""

import sys
import traceback
import unittest


class Result(unittest.TestResult):
    """One line per test, whatever happens in its subtests or around it."""

    number = 0
    details = ""

    def startTest(self, test):
        super().startTest(test)
        self.details = ""

    def stopTest(self, test):
        super().stopTest(test)
        self.number += 1
        name = test.id().split(".", 1)[1].replace("_", " ")
        print(f"{'not ok' if self.details else 'ok'} {self.number} - {name}")
        for line in self.details.splitlines():
            print(f"# {line}")
        sys.stdout.flush()

    def note(self, test, error):
        """Of a test, a subtest, or of what a module sets up, which no test is started for."""
        super().addFailure(test, error)
        details = f"{test}\n" + "".join(traceback.format_exception(*error))
        self.details += details
        if not isinstance(test, unittest.TestCase):
            print(details, file=sys.stderr)

    addFailure = addError = note

    def addSkip(self, test, reason):
        self.note(test, (unittest.SkipTest, unittest.SkipTest(reason), None))

    def addSubTest(self, test, subtest, error):
        if error:
            self.note(subtest, error)


def written_in_order(loader, case):
    names = unittest.TestLoader.getTestCaseNames(loader, case)
    order = list(vars(case))
    return sorted(names, key=lambda name: order.index(name) if name in order else -1)


def main():
    loader = unittest.TestLoader()
    loader.getTestCaseNames = lambda case: written_in_order(loader, case)
    module = sys.modules["__main__"]
    if len(sys.argv) > 1:
        tests = loader.loadTestsFromNames(sys.argv[1:], module)
    else:
        tests = loader.loadTestsFromModule(module)
    print(f"1..{tests.countTestCases()}")
    result = Result()
    tests.run(result)
    sys.exit(not result.wasSuccessful())
