-- An order of 230 bytes, with words that payload rules must look at twice.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [[{"id":7,"customer":"O'Brien & Sons","note":"please select a table for two, union rules apply","items":[{"sku":"a-1","count":2,"price":12.5},{"sku":"b-2","count":1,"price":3.75}],"ship_to":{"street":"1 Main St","city":"Bremenxxx"}}]]
