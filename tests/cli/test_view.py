import numpy as np
from PIL import Image


def test_a_sheet_has_a_row_a_cloud_and_a_column_a_view(rankqa, clouds, tmp_path):
    files = [clouds / "reference_0.ply", clouds / "0_2.ply"]
    sizes = {}
    for views in ("axis", "orbit"):
        out = tmp_path / f"{views}.png"
        result = rankqa("view", "--sheet", out, "--views", views, "--size", 64, "--background", "black", *files)
        assert result.exit_code == 0, result.output
        assert f"wrote {out}" in result.stdout
        with Image.open(out) as picture:
            sizes[views] = picture.size
            assert (np.asarray(picture) == 0).all(axis=2).any()
    assert sizes["axis"][1] == sizes["orbit"][1] > 2 * 64
    assert (sizes["orbit"][0] - sizes["axis"][0]) // 2 >= 64


def test_bad_input_is_one_line_and_writes_nothing(fails, clouds, tmp_path):
    cloud, out = clouds / "reference_0.ply", tmp_path / "sheet.png"
    assert "or --sheet OUT.png" in fails(2, "view", cloud)
    assert "ends in .png, got 'sheet.jpg'" in fails(2, "view", "--sheet", tmp_path / "sheet.jpg", cloud)
    assert "expected 1 to 64, got 65" in fails(2, "view", "--sheet", out, "--size", 64, "--splat", 65, cloud)
    assert "absent.ply" in fails(1, "view", "--sheet", out, cloud, clouds / "absent.ply")
    (tmp_path / "dot.xyz").write_text("1 2 3\n1 2 3\n")
    assert "dot.xyz: expected at least two different points" in fails(1, "view", "--sheet", out, tmp_path / "dot.xyz")
    assert "cannot write" in fails(1, "view", "--sheet", tmp_path / "absent" / "sheet.png", cloud)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["dot.xyz"]
