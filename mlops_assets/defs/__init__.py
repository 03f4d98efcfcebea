"""One folder per model; `dg scaffold defs mlops_assets.components.ModelPipeline NAME` adds one."""
