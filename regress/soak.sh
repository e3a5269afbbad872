#!/bin/sh
# "make soak" and "make budget": BUILD names the build folder.
set -eu

cd "$(dirname "$0")/.."
program=$1
shift
regress/user.sh
BUILD=$PWD/$BUILD PYTHONDONTWRITEBYTECODE=1
export BUILD PYTHONDONTWRITEBYTECODE
exec /usr/bin/python3 -u "regress/soak/$program.py" "$@"
