# train.sh DATA OUTPUT: "trains" by copying. What it did stands in $SIDE, which
# is outside of the checkout, so that a test sees a job that ran twice.
set -eu
echo "begin $2" >>"$SIDE"
echo "training says the token is ${E2E_TOKEN:-none}"
sleep "$(sed -n 's/^seconds=//p' weights.txt)"
{ cat weights.txt; cksum <"$1"; } >"$2/weights.txt"
echo "end $2" >>"$SIDE"
