#!/usr/bin/env bash
# check.sh PROGRAM BINARY...: looks with govulncheck, PROGRAM, for known vulnerabilities in
# what is linked into the binaries. GOVULNDB names the database: a URL, or file:///PATH for
# a mirror. One that can't be reached is no failure, and said. Those in the file accepted,
# each with its reason, are no failure either.
set -euo pipefail
here=$(dirname "$0")
program=$1
shift
db=${GOVULNDB:-https://vuln.go.dev}
case $db in
file://*) [ -r "${db#file://}/index/db.json" ] || { echo "vulncheck: ${db#file://} is no mirror of the database: index/db.json not found" >&2; exit 2; } ;;
*) curl -fsS -m 20 -o /dev/null "$db/index/db.json" 2>/dev/null || {
	echo "vulncheck: nothing was checked: $db can't be reached; GOVULNDB=file:///PATH names a mirror" >&2
	exit 0
} ;;
esac
failed=0
for binary in "$@"; do
	code=0
	output=$("$program" -db "$db" -mode binary "$binary" 2>&1) || code=$?
	if [ "$code" != 0 ] && [ "$code" != 3 ]; then # 3: something was found
		echo "$output" >&2
		exit "$code"
	fi
	found=$(grep -oE '^Vulnerability #[0-9]+: [A-Z0-9-]+' <<<"$output" | sed 's/.*: //' || true)
	for id in $found; do
		if grep -q "^$id " "$here/accepted"; then
			echo "vulncheck: $binary: accepted: $(grep "^$id " "$here/accepted")"
		else
			failed=1
		fi
	done
	if [ "$failed" = 1 ]; then echo "$output" >&2; fi
done
exit "$failed"
