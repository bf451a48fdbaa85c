"""Target `r2`: Cloudflare R2."""
