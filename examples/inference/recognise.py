"""Reads handwritten digits with a model that was trained elsewhere: any ONNX model that takes a row of numbers."""

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.compute as pc


class Recognise:
    """Adds to each image the digit that the model sees, and how certain it is."""

    def setup(self, context):
        [path] = context.side_files("model")
        self.model = onnxruntime.InferenceSession(path, options())
        self.context = context
        context.count("inference", "modelsLoaded")

    def map_batch(self, batch):
        pixels = batch["pixels"].flatten().to_numpy().reshape(len(batch), -1).astype(np.float32)
        _, chances = self.model.run(None, {self.model.get_inputs()[0].name: pixels})
        found = pa.array(chances.argmax(axis=1))
        self.context.count("inference", "right", pc.sum(pc.equal(found, batch["digit"])).as_py() or 0)
        return pa.table(
            {
                "image": batch["image"],
                "digit": batch["digit"],
                "found": found,
                "certainty": pa.array(chances.max(axis=1)),
            }
        )


def options():
    """One thread: podreduce starts a task for each core, so more would only wait for each other."""
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = chosen.inter_op_num_threads = 1
    return chosen
