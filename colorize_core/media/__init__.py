"""The only room with av and cv2: reading and writing pictures and films."""
