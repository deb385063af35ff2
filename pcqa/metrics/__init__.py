"""Full-reference metrics of point clouds."""

METRICS = {"d1": "pcqa.metrics.point_to_point:d1"}
"""Name -> "module:function", called with the reference and the distorted cloud. Strings keep listing them cheap."""
