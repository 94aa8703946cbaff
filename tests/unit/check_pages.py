#!/usr/bin/env python3
"""check_pages: manual pages and completions say what the programs say.

The pages are made of the table of keys, of baton.h and of `batonctl --help`; here they are
compared with the sources and programs by other means, looked over by man and mandoc, and
their examples are tried.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ.get("BUILD", os.getcwd())
SOURCE = os.environ.get("SOURCE", os.getcwd())
BATON = os.environ.get("BATON", os.path.join(BUILD, "baton"))
BATONCTL = os.environ.get("BATONCTL", os.path.join(BUILD, "batonctl"))
KEYS = os.path.join(BUILD, "tools", "keys")
PAGES = ("baton.8", "batonctl.1", "server.ini.5", "baton.h.3")
SECTIONS = {"SERVER": "server", "DRAIN": "drain", "LISTEN": "listen", "SERVICE": "service", "TLS": "tls"}
AWK = os.environ.get("AWK", "awk")

cases = []


def case(fn):
    cases.append(fn)
    return fn


def run(*args, text=None, code=0, **kw):
    done = subprocess.run(args, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60, **kw)
    if done.returncode != code:
        raise AssertionError(f"{' '.join(args)}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what} {got!r} is not {want!r}")


def within(part, whole, what=""):
    if part not in whole:
        raise AssertionError(f"{what} lacks {part!r}")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def page(name):
    return read(BUILD, "man", name)


def plain(mdoc):
    return mdoc.replace("\\-", "-").replace("\\&", "").replace("\\e", "\\")


def examples(name):
    """The indented displays of a page's EXAMPLES."""
    text = page(name).split(".Sh EXAMPLES")[1]
    return [plain(x) for x in re.findall(r"\.Bd -literal -offset indent\n(.*?)\.Ed", text, re.S)]


def usage():
    """(verbs with their synopsis, options) as batonctl tells them."""
    text = run(BATONCTL, "--help").stdout
    verbs = dict(re.findall(r"^  ([a-z][a-z-]*)((?: \S+)*)", text.split("\nOptions")[0], re.M))
    options = set(re.findall(r"(?<![\w-])(--?[a-zA-Z][a-z-]*)", text.split("\nOptions")[1]))
    return verbs, options


# --- looked over ----------------------------------------------------------------------------------

@case
def man_has_nothing_to_warn_of():
    if not shutil.which("man"):
        return "no man"
    for name in PAGES:
        done = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z",
                   os.path.join(BUILD, "man", name), env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="80"))
        equal(done.stderr, "", name)
    return None


@case
def mandoc_has_nothing_to_warn_of():
    if not shutil.which("mandoc"):
        return "no mandoc"
    for name in PAGES:
        done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", os.path.join(BUILD, "man", name)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        equal(done.stdout, "", name)
    return None


@case
def no_mark_is_left():
    for name in PAGES:
        equal(re.findall(r"^@.*|@sysconfdir@", page(name), re.M), [], name)


# --- server.ini(5) --------------------------------------------------------------------------------

def keys_of_page():
    """{section: set of keys} of the page's lists."""
    found = {}
    for title, text in re.findall(r"^\.Ss (.*)\n((?:(?!\.S[sh]).*\n)*)", page("server.ini.5"), re.M):
        section = re.match(r"\[(\w+)|Keys of type", title)
        name = section.group(1) or "service"
        found.setdefault(name, set()).update(re.findall(r"^\.It Ic (\w+)$", text, re.M))
    return found


@case
def every_key_is_on_the_page():
    text = read(SOURCE, "src", "conf", "keys_table.c")
    rows = re.findall(r"^\t\{ IN_(\w+)\((\w+)\)", text, re.M)
    rows += re.findall(r'\.section = CONF_(\w+), \.name = "(\w+)"', text)
    listed = run(KEYS, "--list").stdout.splitlines()
    equal(sorted(listed), sorted(f"{SECTIONS[s]} {name}" for s, name in rows), "the rows")
    want = {}
    for row in listed:
        section, name = row.split()
        want.setdefault(section, set()).add(name)
    equal(keys_of_page(), want)


@case
def every_key_has_range_and_default():
    entries = re.findall(r"^\.It Ic (\w+)\n((?:(?!\.It|\.El).*\n)+)", page("server.ini.5"), re.M)
    for name, text in entries:
        within("Takes ", text, name)
        if "The default is" not in text and "For example:" not in text:
            raise AssertionError(f"{name} has neither default nor example")
    entries = {name: plain(text) for name, text in entries}
    within("one per CPU this process may use.\nTakes auto or a number from 1 to 256.\n"
           'The default is\n.Cm "auto" .', entries["workers"])
    within("not more than\n.Ic deadline .", entries["cut_over"])
    within("May stand more than once", entries["address"])
    within("Means nothing without\n.Ic upstream .", entries["balance"])
    within("Exactly one of\n.Ic \"respond\" ,\n", entries["root"])


@case
def what_every_type_takes_is_on_the_page():
    """As the parser sees it: a key that it knows for a type stands in that type's part."""
    source = read(SOURCE, "src", "conf", "keys_table.c")
    types = re.search(r"keys_service_types\[\] = \{(.*?)NULL", source, re.S).group(1)
    for name in re.findall(r'"(\w+)"', types):
        text = re.search(rf"^\.Ss Keys of type {name}\n((?:(?!\.S[sh]).*\n)*)", page("server.ini.5"), re.M)
        if text is None:
            raise AssertionError(f"no part for type {name}")
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as f:
            f.write(f"[listen:x]\naddress = 127.0.0.1:0\nservice = x\n[service:x]\ntype = {name}\n")
            f.flush()
            told = subprocess.run([BATON, "--print-config", "-c", f.name], capture_output=True, text=True,
                                  check=False)
            missing = re.search(r"needs.* '(\w+)'$", told.stderr, re.M)
            if missing:
                example = re.search(rf'^\.It Ic {missing.group(1)}\n(?:(?!\.It).*\n)*?For example:\n'
                                    r'\.Cm "(.*)"', page("server.ini.5"), re.M)
                f.write(f"{missing.group(1)} = {plain(example.group(1))}\n")
                f.flush()
                told = run(BATON, "--print-config", "-c", f.name)
        for key in re.findall(r"^(?:; )?(\w+) =", told.stdout.split("[service:x]")[1], re.M):
            if key != "type" and not re.search(rf'^\.(It )?Ic "?(\\&)?{key}\b', text.group(1), re.M):
                raise AssertionError(f"{key} is not in the part for type {name}")


@case
def the_page_of_a_table_without_a_section_is_an_error():
    text = read(SOURCE, "man", "server.ini.5.in").replace("@keys drain@\n", "")
    within("'@keys drain@'", run(KEYS, text=text, code=1).stderr)
    within("unknown section", run(KEYS, text="@keys drian@\n", code=1).stderr)


@case
def the_files_of_the_page_are_good():
    for text in examples("server.ini.5"):
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as f:
            f.write(text)
            f.flush()
            within("is good", run(BATON, "--check", "-c", f.name).stdout)


# --- baton.h(3) -----------------------------------------------------------------------------------

def functions():
    """All that baton.h declares, and macros that stand for them."""
    text = re.sub(r"/\*.*?\*/", "", read(SOURCE, "src", "baton.h"), flags=re.S)
    text = re.sub(r"\{[^{}]*\}", "", text.replace("\\\n", " "))
    names = re.findall(r"^[a-z][^;{}()=]*?\b(baton_\w+)\(", text, re.M)
    return set(names) | set(re.findall(r"^#define (baton_\w+)\(", text, re.M))


@case
def every_function_is_named_with_its_purpose():
    text = page("baton.h.3")
    synopsis, description = text.split(".Sh DESCRIPTION")
    names = functions()
    equal(len(names) > 80, True, f"{len(names)} functions:")
    equal(set(re.findall(r"^\.Fn (baton_\w+)", synopsis, re.M)), names)
    told = {}
    for head, purpose in re.findall(r"^\.It (Fn .*)\n((?:(?!\.It|\.El).*\n)*)", description, re.M):
        for name in re.findall(r"baton_\w+", head):
            told[name] = purpose
    equal(set(told), names)
    for name, purpose in told.items():
        equal(len(purpose) > 12, True, f"{name}: {purpose!r}")


@case
def a_function_without_a_comment_is_an_error():
    header = "/* --- a part --- */\n\n/* Is told. */\nint baton_a(void);\n\n{}int baton_b(int x);\n"
    for comment, code in (("", 1), ("/* As well. */\n", 0)):
        with tempfile.NamedTemporaryFile("w", suffix=".h") as f:
            f.write(header.format(comment))
            f.flush()
            done = run(AWK, "-f", os.path.join(SOURCE, "man", "header.awk"), f.name,
                       os.path.join(SOURCE, "man", "baton.h.3.in"), code=code)
            within("baton_b", done.stderr if code else done.stdout)


@case
def the_module_of_the_page_compiles():
    compiler = shutil.which("cc")
    if not compiler:
        return "no cc"
    run(compiler, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", os.path.join(SOURCE, "src"),
        "-x", "c", "-", text=examples("baton.h.3")[0])
    return None


# --- baton(8), batonctl(1) ------------------------------------------------------------------------

@case
def every_verb_and_option_is_on_the_page():
    text = plain(page("batonctl.1"))
    verbs, options = usage()
    within("status", verbs)
    equal(set(re.findall(r"^\.It Ic ([a-z-]+)", text, re.M)), set(verbs))
    for verb, synopsis in verbs.items():
        head = re.search(rf"^\.It Ic {verb}(.*)", text, re.M).group(1)
        head = re.sub(r"\b(Oo|Oc|Ar) ?", "", head).replace("Fl ", "-").split()
        equal(head, re.sub(r"[][]", "", synopsis).split(), verb)
    heads = re.findall(r"^\.It (Fl .*)", text, re.M)
    equal({"-" + x for head in heads for x in re.findall(r"Fl (\S+)", head)}, options)


@case
def text_for_a_verb_that_is_gone_is_an_error():
    with tempfile.NamedTemporaryFile("w") as f:
        f.write(run(BATONCTL, "--help").stdout.replace("  reopen", "  reopne"))
        f.flush()
        done = run(AWK, "-f", os.path.join(SOURCE, "man", "verbs.awk"), f.name,
                   os.path.join(SOURCE, "man", "batonctl.1.in"), code=1)
    within("batonctl has no reopen", done.stderr)


@case
def every_option_of_baton_is_on_the_page():
    told = set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", run(BATON, "--help").stdout))
    text = plain(page("baton.8"))
    for option in told:
        if not re.search(rf"\bFl {re.escape(option[1:])}\b", text):
            raise AssertionError(f"baton(8) lacks {option}")
    bash, zsh = read(BUILD, "completion", "baton"), read(SOURCE, "completion", "_baton")
    for option in told:
        within(option, bash)
        within(option, zsh)


# --- completion -----------------------------------------------------------------------------------

def complete_in_bash(*words):
    script = (f'. "{BUILD}/completion/$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
              '"_$1"; printf "%s\\n" "${COMPREPLY[@]}"')
    return set(run("bash", "-c", script, "bash", words[0], *words).stdout.split())


@case
def bash_completes_verbs_and_their_options():
    verbs, _ = usage()
    equal(set(verbs) <= complete_in_bash("batonctl", ""), True, "the verbs")
    for verb, synopsis in verbs.items():
        for option in re.findall(r"--[a-z-]+", synopsis):
            within(option, complete_in_bash("batonctl", verb, "--"), verb)
    equal(complete_in_bash("batonctl", "relo"), {"reload"})
    equal(complete_in_bash("baton", "--p"), {"--print-config"})
    within("/etc/passwd", complete_in_bash("baton", "-c", "/etc/pass"))


# An interactive zsh that completes what it is given, and what it shows then.
ZSH = r"""
zmodload zsh/zpty
zpty -b shell "zsh -f -i"
zpty -w shell "PS1='READY '; fpath=($1 $2 \$fpath); autoload -Uz compinit; compinit -D -u"
zpty -w shell "zstyle ':completion:*' list-separator '--'; setopt no_list_beep; print DO''NE"
zpty -r -m shell line '*DONE*' || exit 1
zpty -n -w shell "$3"$'\t'
zpty -n -w shell $'\C-a'"print -r -- '"$'\C-e'"'; print EN''D"$'\n'
zpty -r -m shell line '*END*' || exit 1
print -r -- "$line"
zpty -d shell
"""


def complete_in_zsh(words):
    """What zsh shows when TAB is hit behind the words."""
    done = run("zsh", "-f", "-c", ZSH, "zsh", os.path.join(BUILD, "completion"),
               os.path.join(SOURCE, "completion"), words, stdin=None,
               env=dict(os.environ, TERM="dumb", LC_ALL="C.UTF-8", COLUMNS="200"))
    return done.stdout


@case
def zsh_completes_verbs_and_their_options():
    if not shutil.which("zsh"):
        return "no zsh"
    shown = complete_in_zsh("batonctl ")
    verbs, _ = usage()
    for verb in verbs:
        within(verb, shown, "zsh")
    within("reload --wait", complete_in_zsh("batonctl reload --w"))
    within("batonctl upgrade /etc/passwd", complete_in_zsh("batonctl upgrade /etc/passw"))
    within("baton --print-config", complete_in_zsh("baton --p"))
    return None


def main():
    failed = 0
    for fn in cases:
        name = fn.__name__.replace("_", " ")
        try:
            skipped = fn()
            print(f"ok - {name}" + (f" # skipped: {skipped}" if skipped else ""), flush=True)
        except Exception as e:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok - {name}: {type(e).__name__}: {e}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
