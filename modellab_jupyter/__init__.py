"""An experiment tracker that lives in Jupyter."""
