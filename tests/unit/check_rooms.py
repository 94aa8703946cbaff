#!/usr/bin/env python3
"""The rooms: who may call whom, and no circle, as the objects' symbols tell.

An object that uses a symbol of another one stands above it.  The path of a file says which process
runs it: base <- conf, wire <- master <- main; base, conf, wire <- worker <- service <- main; ctl sees base
and wire.
"""
import collections
import os
import re
import subprocess
import sys

SOURCE = os.environ.get("SOURCE", ".")
BUILD = os.environ.get("BUILD", SOURCE)

# Each room, and the rooms below it.
BELOW = {
    "base": (),
    "conf": ("base",),
    "wire": ("base",),
    "tls": ("base",),
    "master": ("base", "conf", "wire"),
    "worker": ("base", "conf", "wire", "tls"),
    "service": ("base", "conf", "wire", "tls", "worker"),
    "ctl": ("base", "wire"),
}

LINES_MAX, FUNCTION_MAX, PARAMETERS_MAX = 500, 60, 6
TABLES = ("conf/keys_table", "service/admin/page")


def sources():
    """Each source without its ending, relative to src: "master/slot"."""
    for folder, _, files in os.walk(os.path.join(SOURCE, "src")):
        for name in files:
            if name.endswith(".c"):
                yield os.path.relpath(os.path.join(folder, name), os.path.join(SOURCE, "src"))[:-2]


def symbols(name):
    """What an object defines, and what it uses."""
    out = subprocess.run(["nm", "-P", os.path.join(BUILD, "src", name + ".o")], capture_output=True,
                         text=True, check=True).stdout
    rows = [line.split()[:2] for line in out.splitlines()]
    return {n for n, kind in rows if kind in "TDBRVWC"}, {n for n, kind in rows if kind == "U"}


def calls(names):
    """{file: {file that it uses: symbols}}"""
    found = {name: symbols(name) for name in names}
    owner = {symbol: name for name, (defined, _) in found.items() for symbol in defined}
    edges = {name: collections.defaultdict(set) for name in names}
    for name, (_, used) in found.items():
        for symbol in used:
            if owner.get(symbol, name) != name:
                edges[name][owner[symbol]].add(symbol)
    return edges


def circles(edges):
    """The groups in which each reaches each (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in edges.get(v, ()):
            if w not in index:
                visit(w)
            if w in stack:
                low[v] = min(low[v], low[w])
        if low[v] == index[v]:
            group = [stack.pop()]
            while group[-1] != v:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    sys.setrecursionlimit(10000)
    for v in edges:
        if v not in index:
            visit(v)
    return found


def folders(edges):
    result = collections.defaultdict(set)
    for a in edges:
        for b in edges[a]:
            if os.path.dirname(a) != os.path.dirname(b):
                result[os.path.dirname(a)].add(os.path.dirname(b))
    return {k: result[k] for k in {os.path.dirname(a) for a in edges}}


def calls_up(edges):
    for a in edges:
        for b, used in edges[a].items():
            mine, its = a.split("/")[0], b.split("/")[0]
            if mine in BELOW and its != mine and its not in BELOW[mine]:
                yield f"src/{a}.c calls up: {', '.join(sorted(used))} of src/{b}.c"


def functions(text):
    """Name, parameters and lines of each; a pointer to a function is one parameter."""
    for m in re.finditer(r"^(\w+)\(([^{;]*?)\)\n\{\n(.*?)^\}$", text, re.S | re.M):
        parameters = m.group(2)
        while re.search(r"\([^()]*\)", parameters):
            parameters = re.sub(r"\([^()]*\)", "", parameters)
        yield m.group(1), parameters.count(",") + 1, m.group(3).count("\n")


def sizes(name, text):
    if name in TABLES:
        return
    if text.count("\n") > LINES_MAX:
        yield f"src/{name}.c has more than {LINES_MAX} lines"
    for function, parameters, lines in functions(text):
        if lines > FUNCTION_MAX:
            yield f"src/{name}.c: {function} has more than {FUNCTION_MAX} lines"
        if parameters > PARAMETERS_MAX:
            yield f"src/{name}.c: {function} has more than {PARAMETERS_MAX} parameters"


def style():
    for name in sources():
        path = os.path.join(SOURCE, "src", name)
        with open(path + ".c", encoding="utf-8") as f:
            text = f.read()
        yield from sizes(name, text)
        first = re.search(r'^# *include (.*)$', text, re.M)
        if os.path.exists(path + ".h") and (not first or first.group(1) != f'"{name}.h"'):
            yield f"src/{name}.c does not include its own header first"
        if re.search(r"\bgoto ", text):
            yield f"src/{name}.c: goto is not used here"


def main():
    names = sorted(n for n in sources() if os.path.exists(os.path.join(BUILD, "src", n + ".o")))
    edges = calls(names)
    among_files, among_folders = circles(edges), circles(folders(edges))
    faults = list(calls_up(edges)) + list(style())
    for what, groups in (("files", among_files), ("folders", among_folders)):
        print(f"{len(groups)} circles among {what}")
        faults += [f"a circle of {what}: {' '.join(group)}" for group in groups]
    print(f"{len(names)} files looked at; rooms " + ("in order" if not faults else "not in order"))
    for fault in faults:
        print(f"not ok {fault}")
    sys.exit(bool(faults))


main()
