#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks the include rules of lib/ that lib/LAYERS states; prints TAP.

usage: layers.py LIB_DIR

A file includes files of its own folder and of folders in lower layers, by a
path that starts at LIB_DIR. Folders of one layer do not include each other.
Only folders marked "eal" include DPDK's headers; the public ones of this
library may be included anywhere.
"""
import pathlib
import re
import sys
import tempfile

PUBLIC = {'rte_vhost.h', 'rte_vhost_async.h', 'rte_vhost_crypto.h', 'rte_vdpa.h', 'vdpa_driver.h'}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)


def read_layers(lib):
    """Folder to (layer, may include DPDK)."""
    layers = {}
    for line in (lib / 'LAYERS').read_text().splitlines():
        words = line.split('#')[0].split()
        if words:
            layers[words[1]] = (int(words[0]), 'eal' in words[2:])
    return layers


def is_dpdk(header):
    name = header.rsplit('/', 1)[-1]
    return name not in PUBLIC and re.match(r'(rte_|bus_|ethdev_|cryptodev_|eal_)', name)


def check_include(lib, layers, folder, kind, header):
    """What is wrong with one include of a file in `folder`, or None."""
    layer, eal = layers[folder]
    if kind == '<':
        if is_dpdk(header) and not eal:
            return f'<{header}> is DPDK, and {folder}/ is not marked eal'
        if '/' in header and header.split('/')[0] in layers:
            return f'<{header}> is a file of lib/: include it with quotes'
        return None
    if '/' not in header:
        if not (lib / folder / header).is_file():
            return f'"{header}" is not in {folder}/'
        return None
    target = header.split('/')[0]
    if target not in layers or not (lib / header).is_file():
        return f'"{header}" is no file of lib/'
    if target == folder:
        return f'"{header}" is in the same folder: leave the path out'
    if layers[target][0] >= layer:
        return f'"{header}": layer {layers[target][0]} from layer {layer}'
    return None


def check_folder(lib, layers, folder):
    problems = []
    for path in sorted((lib / folder).rglob('*.[ch]')):
        for kind, header in INCLUDE.findall(path.read_text()):
            problem = check_include(lib, layers, folder, kind, header)
            if problem is not None:
                problems.append(f'{path.relative_to(lib)}: {problem}')
    return problems


def check_names(lib, layers):
    """Folders without a line, lines without a folder, files outside folders."""
    folders = {p.name for p in lib.iterdir() if p.is_dir()}
    problems = [f'{name}/ has no line in LAYERS' for name in sorted(folders - set(layers))]
    gone = sorted(set(layers) - folders)
    problems += [f'LAYERS names {name}, which is not there' for name in gone]
    problems += [f'{p.name} is in no folder' for p in sorted(lib.glob('*.[ch]'))]
    return problems


def check(lib):
    """A list of (what, problems)."""
    layers = read_layers(lib)
    results = [('every folder has its line', check_names(lib, layers))]
    for folder in sorted(layers, key=lambda f: (layers[f][0], f)):
        results.append((folder, check_folder(lib, layers, folder)))
    return results


# What the checker must find in a small tree made for it: file, text, words of the problem.
PLANTED = [
    ('low/a.h', '#include "high/b.h"', 'layer 1 from layer 0'),
    ('side/a.c', '#include "high/b.h"', 'layer 1 from layer 1'),
    ('low/b.c', '#include <rte_mbuf.h>', 'not marked eal'),
    ('low/c.c', '  #  include <rte_ether.h>', 'not marked eal'),
    ('high/c.c', '#include "../low/a.h"', 'no file of lib/'),
    ('high/d.c', '#include "gone.h"', 'is not in high/'),
    ('high/e.c', '#include <low/a.h>', 'with quotes'),
    ('high/f.c', '#include "high/b.h"', 'leave the path out'),
    ('extra/a.c', '', 'no line in LAYERS'),
    ('stray.c', '', 'is in no folder'),
]
ALLOWED = '#include "low/a.h"\n#include "b.h"\n#include <rte_mbuf.h>\n#include <rte_vhost.h>\n'


def finds_what_was_planted():
    problems = []
    for planted in [None] + PLANTED:
        with tempfile.TemporaryDirectory() as tmp:
            lib = pathlib.Path(tmp)
            for folder in ('low', 'side', 'high'):
                (lib / folder).mkdir()
            (lib / 'LAYERS').write_text('0 low\n1 side # a note\n1 high eal\n')
            (lib / 'low/a.h').write_text('#include <rte_vdpa.h>\n')
            (lib / 'high/b.h').write_text('')
            (lib / 'high/ok.c').write_text(ALLOWED)
            if planted is not None:
                (lib / planted[0]).parent.mkdir(exist_ok=True)
                (lib / planted[0]).write_text(planted[1] + '\n')
            found = [p for _, ps in check(lib) for p in ps]
            if planted is None and found:
                problems.append(f'found in a clean tree: {found}')
            elif planted is not None and not any(planted[2] in p for p in found):
                problems.append(f'not found: {planted[0]}: {planted[1]}')
    return problems


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    results = [('the checker finds what it should', finds_what_was_planted())]
    results += check(pathlib.Path(sys.argv[1]))
    print(f'1..{len(results)}')
    for number, (what, problems) in enumerate(results, 1):
        for problem in problems:
            print(problem, file=sys.stderr)
        print(f'{"not ok" if problems else "ok"} {number} - {what}')
    return 1 if any(problems for _, problems in results) else 0


if __name__ == '__main__':
    sys.exit(main())
