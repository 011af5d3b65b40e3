"""The weights and card of the model ``maestro``; found here by pianogan_bgm. Non-commercial: see LICENSE."""
