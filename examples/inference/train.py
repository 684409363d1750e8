"""Trains the model of this example, and writes the digits that it has not seen. It needs scikit-learn, skl2onnx and pyarrow.

Run it anywhere; nothing of it runs in a job. The model takes the 64 pixels of an image and gives each digit's
probability.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent
FILES = 3


def main() -> None:
    """Write model.onnx and digits/*.parquet."""
    pixels, labels = load_digits(return_X_y=True)
    numbers = np.arange(len(labels))
    seen, unseen = train_test_split(numbers, test_size=360, random_state=0, stratify=labels)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(pixels[seen], labels[seen])
    print(f"right on images that it has not seen: {model.score(pixels[unseen], labels[unseen]):.3f}")
    options = {"zipmap": False, "nocl": True}
    onnx = to_onnx(model, pixels[:1].astype(np.float32), options={id(model): options}, target_opset=17)
    (HERE / "model.onnx").write_bytes(onnx.SerializeToString())
    for part, chosen in enumerate(np.array_split(np.sort(unseen), FILES)):
        images = pa.FixedSizeListArray.from_arrays(pixels[chosen].astype(np.uint8).ravel(), pixels.shape[1])
        table = pa.table({"image": chosen, "digit": labels[chosen], "pixels": images})
        pq.write_table(table, HERE / "digits" / f"part-{part}.parquet")


if __name__ == "__main__":
    main()
