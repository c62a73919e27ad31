"""What things cost: prices, rents and power, with the observations behind them."""
