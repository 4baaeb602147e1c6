"""pytest's results as the other programs print them: one line per test."""


class Tap:
    number = 0

    def pytest_collection_finish(self, session):
        print(f"1..{len(session.items)}", flush=True)

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed":
            self.number += 1
            name = report.nodeid.split("::")[-1].removeprefix("test_").replace("_", " ")
            print(f"{'ok' if report.passed else 'not ok'} {self.number} - {name}", flush=True)
            for line in str(report.longrepr or "").splitlines():
                print(f"# {line}", flush=True)
