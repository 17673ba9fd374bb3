# Sourced by the scripts that pack: the files of an installation, and their time.
# shellcheck shell=bash

# Every file has this time, so that the same binaries make the same packages.
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || echo 0)}"

platform_here() {
  case "$(uname -m)" in
    x86_64) echo linux-x64 ;;
    aarch64) echo linux-arm64 ;;
  esac
}

# Of PLATFORM=FILE ..., the file for this machine.
that_runs_here() {
  local pair here
  here="$(platform_here)"
  for pair in "$@"; do
    if [ "${pair%%=*}" = "$here" ]; then
      echo "${pair#*=}"
      return
    fi
  done
  fail "none of the binaries is for this machine ($(uname -m)), and completions are printed by one"
}

# The script for a shell, which is for the name that the binary is called by.
completion() {
  (exec -a "$1" "$2" completion "$3")
}

# stage DIRECTORY PLATFORM BINARY RUNNABLE FOLDER: what goes below /usr or /usr/local. FOLDER is where zsh looks for completions.
stage() {
  local to="$1" platform="$2" binary="$3" runnable="$4" zsh="$5" name
  case "$platform" in
    linux-x64 | linux-arm64) ;;
    *) fail "\`$platform\` is neither linux-x64 nor linux-arm64" ;;
  esac
  local share="$to/share" doc="$to/share/doc/pmr-runtime"
  mkdir -p "$to/bin" "$share"/{bash-completion/completions,fish/vendor_completions.d,man/man1,"zsh/$zsh"} "$doc/docs"
  install -m 755 "$binary" "$to/bin/pmr-runtime"
  ln -s pmr-runtime "$to/bin/pmr"
  for name in pmr pmr-runtime; do
    completion "$name" "$runnable" bash > "$share/bash-completion/completions/$name"
    completion "$name" "$runnable" zsh > "$share/zsh/$zsh/_$name"
    completion "$name" "$runnable" fish > "$share/fish/vendor_completions.d/$name.fish"
    install -m 644 "docs/man/$name.1" "$share/man/man1"
  done
  install -m 644 README.md CHANGELOG.md SECURITY.md LICENSE "$doc"
  install -m 644 docs/*.md docs/*.json "$doc/docs"
  install -D -m 644 -t "$doc/examples/node" examples/node/*
  chmod -R u=rwX,go=rX "$to"
}

# It is the tests' one, or whoever makes a release has installed it.
need_cargo_deb() {
  PATH="$PATH:$PMR_TEST_TOOLS/cargo-deb/bin"
  if ! command -v cargo-deb > /dev/null; then fail "there is no cargo-deb: cargo install --locked cargo-deb"; fi
}
