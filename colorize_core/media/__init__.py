"""Reading and writing pictures and films: the only room with av, cv2, PIL and their like."""
