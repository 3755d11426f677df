"""The loop that plans, dispatches and records; the only room with ray and tqdm."""
