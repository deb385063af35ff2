"""A cloud beside its reference as a live page of viser, all points drawn."""

import math
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float64

from rankqa_cli.cloud_comparison import CloudComparison
from rankqa_cli.error_colors import COLORS
from rankqa_cli.loopback import HOST, require_free
from rankqa_cli.page import score_table
from shared_engine.names import UsageProblem

ROLES = ("Reference", "Distorted")
OWN = "Colours of the clouds"
# A point covers a little more than the distance to the next.
MARGIN = 1.6
# Where the middles of the clouds lie on the line to the right of the camera, in radii of the frame: rather to the left,
# as the panel lies on the right.
PLACES = (-1.75, 0.55)


class LiveClouds:
    """Both clouds in one scene of viser, so with one camera; served on the loopback interface until `stop`.

    Args:
        comparison: what it shows.
        port: of 127.0.0.1; 0 for any free one.

    Raises:
        UsageProblem: viser is not installed, or the port is taken.
    """

    def __init__(self, comparison: CloudComparison, port: int) -> None:
        viser = require_viser()
        # Else viser would take the next free port, and the user would look at another program's page.
        port = require_free(port)
        self.server = viser.ViserServer(host=HOST, port=port, label="rankqa view", verbose=False)
        self.url = f"http://{HOST}:{self.server.get_port()}"
        # Sharing would send the clouds through a server of viser's authors.
        self.server.gui.configure_theme(show_logo=False, show_share_button=False)
        self._comparison = comparison
        self._draw_clouds()
        self._add_controls()

    def _draw_clouds(self) -> None:
        scene, frame = self.server.scene, self._comparison.frame
        scene.set_up_direction("+y")
        self._size = float(MARGIN * self._comparison.spacing / frame.radius)
        self._handles = []
        self._labels = []
        for role, cloud in zip(ROLES, self._comparison.clouds, strict=True):
            points = (cloud.points[cloud.drawn].astype(np.float64) - frame.center) / frame.radius
            handle = scene.add_point_cloud(
                f"/{role}",
                points.astype(np.float32),
                cloud.colors[cloud.drawn],
                point_size=self._size,
                point_shading="flat",
                precision="float32",
            )
            self._labels.append(scene.add_label(f"/{role} label", role, anchor="bottom-center"))
            self._handles.append(handle)
        self._place(np.array([1.0, 0.0, 0.0]))
        # From afar, so that both clouds are seen from nearly the same side.
        self.server.initial_camera.position = (0.0, 1.0, 12.0)
        self.server.initial_camera.look_at = (0.0, 0.0, 0.0)
        self.server.initial_camera.fov = math.radians(22.0)

        @self.server.on_client_connect
        def _(client: Any) -> None:
            @client.camera.on_update
            def _(camera: Any) -> None:
                self._place(_right(*camera.wxyz))

    def _place(self, right: Float64[np.ndarray, "3"]) -> None:
        """Side by side as the camera sees them: when it turns, each cloud turns about its own middle."""
        for handle, label, x in zip(self._handles, self._labels, PLACES, strict=True):
            handle.position = tuple(x * right)
            label.position = tuple(x * right + (0.0, 1.2, 0.0))

    def _add_controls(self) -> None:
        gui, scales = self.server.gui, self._comparison.scales
        labels = {scale.label: name for name, scale in scales.items()}
        coloring = gui.add_dropdown("Colours", (OWN, *labels))
        legends = {name: gui.add_html(_legend(scale.legend()), visible=False) for name, scale in scales.items()}
        size = gui.add_slider("Size of points", min=-3.0, max=3.0, step=0.1, initial_value=0.0)
        up = gui.add_dropdown("Up", ("y", "z", "x"))
        captions = "".join(
            f"<p>{role}: {cloud.caption(len(cloud.drawn))}</p>"
            for role, cloud in zip(ROLES, self._comparison.clouds, strict=True)
        )
        table = score_table(self._comparison.scores)
        gui.add_html(f'<div style="padding:0 .8em;font-size:.8em">{table}{captions}</div>')

        @coloring.on_update
        def _(_event: Any) -> None:
            chosen = labels.get(coloring.value)
            for name, legend in legends.items():
                legend.visible = name == chosen
            for handle, cloud in zip(self._handles, self._comparison.clouds, strict=True):
                colors = cloud.colors if chosen is None else COLORS[scales[chosen].steps(cloud.errors[chosen])]
                handle.colors = colors[cloud.drawn]

        @size.on_update
        def _(_event: Any) -> None:
            for handle in self._handles:
                handle.point_size = self._size * 2.0**size.value

        @up.on_update
        def _(_event: Any) -> None:
            # Quaternions w, x, y, z of the turn that brings the axis up.
            half = 0.5**0.5
            turn = {"y": (1.0, 0.0, 0.0, 0.0), "z": (half, -half, 0.0, 0.0), "x": (half, 0.0, 0.0, half)}[up.value]
            for handle in self._handles:
                handle.wxyz = turn

    def stop(self) -> None:
        """Close the page."""
        self.server.stop()


def require_viser() -> Any:
    """The module.

    Raises:
        UsageProblem: it is not installed.
    """
    try:
        return import_module("viser")
    except ModuleNotFoundError as error:
        raise UsageProblem(
            "the live page needs viser: pip install 'rankqa[view]', or write a page that needs nothing: --html OUT.html"
        ) from error


def _right(w: float, x: float, y: float, z: float) -> Float64[np.ndarray, "3"]:
    """The first axis of a camera's orientation, a unit quaternion."""
    return np.array([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)])


def _legend(legend: str) -> str:
    """With the layout that pages/page.css gives it there."""
    styles = {
        'class="legend"': 'style="display:grid;gap:.2em;padding:.3em .8em;font-size:.8em"',
        'class="ends"': 'style="display:flex;justify-content:space-between"',
        'class="bar" style="': 'style="height:.9em;border-radius:3px;',
    }
    for before, after in styles.items():
        legend = legend.replace(before, after)
    return legend
