"""Fits a toy."""

import argparse
from pathlib import Path

import joblib
from sklearn.linear_model import LogisticRegression


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("artifacts/model.joblib"),
        help="where to",
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model = LogisticRegression(random_state=args.seed).fit([[0], [1]], [0, 1])
    joblib.dump(model, args.output)
    print(f"accuracy: {model.score([[0], [1]], [0, 1])}")


if __name__ == "__main__":
    main()
