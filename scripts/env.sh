# Sourced by the other scripts: where things are. Changes into the repository's root.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# The tests' own programs (several versions of node, bun, deno, a Python environment); see scripts/test-tools.
export PMR_TEST_TOOLS="${PMR_TEST_TOOLS:-$PWD/.work/tools}"

# A Rust installed a moment ago by scripts/setup is not on the caller's PATH yet. Neither is what lies in sbin (dockerd, ip).
for dir in "$HOME/.cargo/bin" /usr/local/sbin /usr/sbin /sbin; do
  case ":$PATH:" in
    *":$dir:"*) ;;
    *) PATH="$PATH:$dir" ;;
  esac
done
export PATH

# Prints where cargo puts the executable of a profile: the target is named in .cargo/config.toml, so a directory bears its name.
built_binary() {
  local host
  host="$(rustc -vV | sed -n 's/^host: //p')"
  echo "${CARGO_TARGET_DIR:-target}/$host/$1/pmr-runtime"
}
