"""What is served: APIs with their routes, the policies that hold for each, and the services behind them."""
