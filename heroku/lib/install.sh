# shellcheck shell=bash
# Sourced by bin/compile and bin/build: fetches the runtime, checks it, and puts it where it is wanted.
#
#   PMR_RUNTIME_VERSION   another release than the one that this buildpack came with
#   PMR_RUNTIME_URL       another file; PMR_RUNTIME_SHA256 says what it has to be

buildpack="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
releases=https://github.com/pmr-runtime/pmr-runtime/releases/download

say() {
  echo "       $*"
}

warn() {
  echo " !     $*" >&2
}

fail() {
  warn "$@"
  exit 1
}

# Takes over the settings in a directory that has a file for each variable of the app.
read_settings() {
  local directory="$1" name
  for name in PMR_RUNTIME_VERSION PMR_RUNTIME_URL PMR_RUNTIME_SHA256; do
    if [ -f "$directory/$name" ]; then printf -v "$name" %s "$(cat "$directory/$name")"; fi
  done
}

platform() {
  case "$(uname -m)" in
    x86_64) echo linux-x64 ;;
    aarch64) echo linux-arm64 ;;
    *) fail "There is no pmr-runtime for $(uname -m), only for x86_64 and aarch64." ;;
  esac
}

# Fetches $1 into the file $2. What stands still for half a minute is given up, and begun anew.
download() {
  curl --fail --silent --show-error --location --proto-redir =https --retry 3 --connect-timeout 10 \
    --speed-limit 1024 --speed-time 30 --output "$2" "$1" || fail "Could not fetch $1."
}

# Says `URL SHA256`; the latter is empty where nothing is known of the file.
wanted() {
  local platform="$1" version url sum
  # Made by scripts/heroku-pack: the version, and the sum of the file for each platform.
  local release_version=''
  # shellcheck source=/dev/null
  if [ -f "$buildpack/release" ]; then source "$buildpack/release"; fi
  url="${PMR_RUNTIME_URL:-}"
  if [ -n "$url" ]; then
    echo "$url ${PMR_RUNTIME_SHA256:-}"
    return
  fi
  version="${PMR_RUNTIME_VERSION:-$release_version}"
  version="${version#v}"
  if [ -z "$version" ]; then fail "This buildpack knows of no release: set PMR_RUNTIME_VERSION, or pack it by scripts/heroku-pack."; fi
  if [ "$version" = "$release_version" ]; then
    local name="release_${platform//-/_}"
    sum="${!name:-}"
  else
    sum="$(download "$releases/v$version/SHA256SUMS" - | awk -v file="pmr-runtime-$platform" '$2 == file { print $1 }')"
  fi
  if [ -z "$sum" ]; then fail "Version $version of pmr-runtime has no file for $platform."; fi
  echo "$releases/v$version/pmr-runtime-$platform $sum"
}

sum_of() {
  sha256sum "$1" | cut -d ' ' -f 1
}

# Puts the runtime, and `pmr`, into the directory $1. What is kept in $2 is used again if it is still the right file.
install_runtime() {
  local to="$1" cache="$2" here file url sum found
  here="$(platform)" || exit 1
  file="$(wanted "$here")" || exit 1
  read -r url sum <<< "$file"
  mkdir -p "$to" "$cache"
  local kept="$cache/pmr-runtime"
  if [ -n "$sum" ] && [ -f "$kept" ] && [ "$(sum_of "$kept")" = "$sum" ]; then
    say "Using the one that is kept from the last build"
  else
    case "$sum${url,,}" in
      http:*) fail "$url could be anybody's: set PMR_RUNTIME_SHA256, or take an https:// address." ;;
    esac
    say "Fetching $url"
    download "$url" "$kept.part"
    check "$kept.part" "$url" "$sum"
    mv "$kept.part" "$kept"
  fi
  if [ ! "$kept" -ef "$to/pmr-runtime" ]; then cp "$kept" "$to/pmr-runtime"; fi
  chmod 755 "$to/pmr-runtime"
  # The same program, as which it talks to a running one.
  ln -sfn pmr-runtime "$to/pmr"
  found="$("$to/pmr-runtime" --version)" || fail "What was fetched from $url does not run here."
  say "Installed $found"
}

check() {
  local file="$1" url="$2" sum="$3" found
  found="$(sum_of "$file")"
  if [ -z "$sum" ]; then
    warn "$url is not checked. To have that done, set PMR_RUNTIME_SHA256=$found"
  elif [ "$found" != "$sum" ]; then
    rm "$file"
    fail "$url is not what it should be: its SHA-256 is $found, and not $sum."
  fi
}

# The commonest mistake: everything is there, and nothing uses it.
look_at_procfile() {
  local procfile="$1/Procfile"
  if [ -f "$procfile" ] && grep -q pmr-runtime "$procfile"; then return; fi
  warn "No process of the Procfile is run by pmr-runtime yet. It takes one word, as in"
  warn "  web: pmr-runtime node index.js"
}
