"""Writes the scripts of GitHub workflows to files, so that shellcheck can read them.

    python workflow_scripts.py FOLDER WORKFLOW...

An expression in double braces, which GitHub fills in before a shell sees it, becomes a word.
"""

import pathlib
import re
import sys

from ruamel.yaml import YAML

folder = pathlib.Path(sys.argv[1])
for name in map(pathlib.Path, sys.argv[2:]):
    workflow = YAML(typ="safe").load(name)
    for job_name, job in workflow["jobs"].items():
        for index, step in enumerate(job.get("steps", [])):
            if "run" not in step:
                continue
            script = re.sub(r"\$\{\{.*?\}\}", "expression", step["run"])
            # The options are those that GitHub starts bash with.
            file = folder / f"{name.stem}-{job_name}-{index}.sh"
            file.write_text(f"#!/usr/bin/env bash\nset -eo pipefail\n{script}\n")
