"""What a game frozen by PyInstaller takes along of this package: model, atlas, piano, page and schema."""

from PyInstaller.utils.hooks import collect_data_files

datas = collect_data_files("pianogan_bgm")
