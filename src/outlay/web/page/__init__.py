"""The page: eight views of one scenario in hand, in English and Chinese, with no network."""
