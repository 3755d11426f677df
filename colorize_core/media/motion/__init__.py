"""How pictures move: optical flow and shots."""
