-- A chat of a few turns, as an application asks it; STREAM=1 asks for a stream.
local stream = os.getenv("STREAM") == "1" and "true" or "false"
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [[{"model":"fast","max_tokens":200,"stream":]] .. stream .. [[,"messages":[
{"role":"system","content":"You help the people of a shop that sells garden furniture. Answer in short sentences."},
{"role":"user","content":"A customer asks whether the oak table can stay outside in winter. What do I say?"},
{"role":"assistant","content":"It can, under a cover. Oil it once a year, in spring."},
{"role":"user","content":"And can I select the oil from our own list, or does the union of painters recommend another one?"}]}]]
