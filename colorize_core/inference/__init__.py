"""From decoded pictures and films to colorized ones."""
