#!/usr/bin/env bash
# Makes Retail's /predict answer 500 (its time budget becomes a nanosecond) and
# leaves /health alone: the sort of change that a health check does not see.
set -euo pipefail
file=$1/cmd/api/main.go
sed 's/^const predictBudget = time.Second$/const predictBudget = time.Nanosecond/' "$file" >"$file.new"
if cmp -s "$file" "$file.new"; then
  echo "break.sh: $file has no line 'const predictBudget = time.Second'" >&2
  exit 1
fi
mv "$file.new" "$file"
