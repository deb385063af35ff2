"""What the engine and the command line know of images."""

from imgqa.config import ImageRunConfig
from imgqa.metrics.psnr import psnr_of_stimulus
from imgqa.reader import image_reader
from shared_engine.modality import Modality

IMAGE = Modality(
    name="image",
    config_type=ImageRunConfig,
    suffixes=(".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
    models={
        "asna": "imgqa.models.asna:ASNA",
        "cnniqa": "imgqa.models.cnniqa:CNNIQA",
        "compact-cnn": "imgqa.models.compact_cnn:CompactCNN",
        "dbcnn": "imgqa.models.dbcnn:DBCNN",
        "gmc-iqa": "imgqa.models.gmc_iqa:GMCIQA",
        "hyperiqa": "imgqa.models.hyperiqa:HyperIQA",
        "linearity-iqa": "imgqa.models.linearity_iqa:LinearityIQA",
        "lml-iqa": "imgqa.models.lml_iqa:LMLIQA",
        "maniqa": "imgqa.models.maniqa:MANIQA",
        "siamese-resnet": "imgqa.models.siamese_resnet:SiameseResNet",
        "timm-regressor": "imgqa.models.timm_regressor:TimmRegressor",
    },
    reader=image_reader,
    baselines=lambda stimulus, _: {"psnr": psnr_of_stimulus(stimulus)},
    training_baselines=("psnr",),
)
