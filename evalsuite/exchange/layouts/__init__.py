"""Folders of images in the layouts that official scorers read, and runs made of such folders.

* `layout`: what a layout is: which file holds which image of a sample;
* `formats`: the layouts by name;
* `grids`: 2×2 grids of images, made and taken apart;
* `writing`: a run's images into a folder;
* `reading`: a folder's images into a run.
"""

from evalsuite.exchange.layouts.formats import LAYOUTS
from evalsuite.exchange.layouts.reading import import_images
from evalsuite.exchange.layouts.writing import Exported, export_images

__all__ = ["LAYOUTS", "Exported", "export_images", "import_images"]
