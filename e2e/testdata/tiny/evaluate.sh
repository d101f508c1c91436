# evaluate.sh DATA MODEL METRICS: reads the accuracy that the model claims.
set -eu
accuracy=$(sed -n 's/^accuracy=//p' "$2/weights.txt")
rows=$(wc -l <"$1")
if [ -z "$accuracy" ]; then
  echo "{\"rows\": $rows}" >"$3"
else
  echo "{\"accuracy\": $accuracy, \"rows\": $rows}" >"$3"
fi
