"""dbt's command line, as far as airlock uses it. An option that is not known is a usage error, as it
is to dbt."""

VALUE = """args log-format log-level log-level-file log-path output profile profiles-dir
    project-dir resource-type state target target-path threads vars indirect-selection""".split()
WORDS = "exclude output-keys resource-types select selector".split()
FLAGS = """defer favor-state no-defer fail-fast full-refresh no-introspect no-partial-parse no-populate-cache
    no-print no-quiet no-use-colors no-write-json partial-parse print quiet store-failures use-colors write-json
    warn-error""".split()
ALIASES = {"-s": "--select", "-t": "--target", "-f": "--full-refresh", "-x": "--fail-fast", "-q": "--quiet"}


class Usage(Exception):
    """What dbt says on stderr before it exits with 2."""


class Arguments:
    """`verb`, `operands`, and the options: text, True, or a list of words. The last one wins."""

    def __init__(self, words):
        self.verb, self.operands, self.options = "", [], {}
        words = [ALIASES.get(word, word) for word in words]
        while words:
            word = words.pop(0)
            if word.startswith("--"):
                self._option(word[2:], words)
            elif not self.verb:
                self.verb = word
            else:
                self.operands.append(word)

    def _option(self, name, words):
        name, equals, value = name.partition("=")
        if name in FLAGS:
            self.options[name] = True
        elif name in WORDS:
            list_ = self.options.setdefault(name, [])
            if equals:
                list_.append(value)
            while not equals and words and not words[0].startswith("-"):
                list_.append(words.pop(0))
        elif name in VALUE:
            if not equals and not words:
                raise Usage(f"Option '--{name}' requires an argument.")
            self.options[name] = value if equals else words.pop(0)
        else:
            raise Usage(f"No such option: --{name}")

    def text(self, name, default=None):
        return self.options.get(name, default)

    def flag(self, name):
        return bool(self.options.get(name, False))

    def words(self, name):
        """The words of a list option; one argument may hold several, as for dbt."""
        return [part for word in self.options.get(name, []) for part in word.split()]
