"""What the engine and the command line know of tables of features."""

from shared_engine.features.config import FeatureRunConfig
from shared_engine.features.reader import feature_reader, name_columns, rows_in
from shared_engine.modality import Modality

FEATURES = Modality(
    name="features",
    config_type=FeatureRunConfig,
    suffixes=(".csv",),
    models={"feature-mlp": "shared_engine.features.mlp:FeatureMLP"},
    reader=feature_reader,
    complete=name_columns,
    rows_in=rows_in,
)
