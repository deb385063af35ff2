"""What the engine and the command line know of point clouds."""

from pcqa.baselines import full_reference_scores
from pcqa.config import CloudRunConfig
from pcqa.io import FOLDER_SUFFIXES
from pcqa.reader import make_reader
from shared_engine.modality import Modality

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
    baselines=full_reference_scores,
    training_baselines=("d1",),
)
