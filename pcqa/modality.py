"""What the engine and the command line know of point clouds."""

from pcqa.config import CloudRunConfig
from pcqa.io import FOLDER_SUFFIXES, read_cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.point_to_point import d1
from pcqa.reader import make_reader
from rankqa_datasets.errors import InputError
from rankqa_datasets.stimulus import Stimulus
from shared_engine.modality import Modality


def d1_of_stimulus(stimulus: Stimulus) -> float:
    """Symmetric D1 PSNR of a stimulus against its reference, in dB; higher is better.

    Infinite where the geometry is untouched.

    Raises:
        InputError: the stimulus has no reference, or a file cannot be read.
    """
    if stimulus.reference is None:
        raise InputError(f"{stimulus.id} has no reference: D1 compares with one; fill the manifest's reference column")
    return d1(CloudPair(read_cloud(stimulus.reference), read_cloud(stimulus.path))).psnr


CLOUD = Modality(
    name="cloud",
    config_type=CloudRunConfig,
    suffixes=FOLDER_SUFFIXES,
    models={
        "dgcnn": "pcqa.models.dgcnn:DGCNN",
        "gms-3dqa": "pcqa.models.gms_3dqa:GMS3DQA",
        "gpa-net": "pcqa.models.gpa_net:GPANet",
        "it-pcqa": "pcqa.models.it_pcqa:ITPCQA",
        "mm-pcqa": "pcqa.models.mm_pcqa:MMPCQA",
        "multiview": "pcqa.models.multiview:MultiView",
        "pointnet2": "pcqa.models.pointnet2:PointNet2",
        "pointnet2-msg": "pcqa.models.pointnet2_msg:PointNet2MSG",
        "pqa-net": "pcqa.models.pqa_net:PQANet",
        "timm-views": "pcqa.models.timm_views:TimmViews",
    },
    reader=make_reader,
    baselines={"d1": d1_of_stimulus},
)
