import { build } from 'esbuild'
import { readFileSync, mkdirSync, cpSync } from 'node:fs'
import { join } from 'node:path'
const [out, stubs, zodstar] = process.argv.slice(2)
const root=process.cwd()
const names = stubs ? stubs.split(',') : []
const stub={name:'stub',setup({onResolve,onLoad}){
 onResolve({filter:/.*/},a=>{ const hit=names.find(n=>a.path===n||a.path.startsWith(n+'/')); if(hit&&a.kind!=='entry-point') return {path:a.path,namespace:'stub'} })
 onLoad({filter:/.*/,namespace:'stub'},()=>({contents:'const f=function(){};module.exports=new Proxy(f,{get:(t,k)=>k==="__esModule"?false:k==="prototype"?t.prototype:module.exports,apply:()=>module.exports,construct:()=>({})})',loader:'js'}))
 if(zodstar) onLoad({filter:/\/src\/.*\.ts$/},a=>{const t=readFileSync(a.path,'utf8'); return {contents:t.replace("import { z } from 'zod'","import * as z from 'zod'"),loader:'ts'}})
}}
const client = join(root, 'node_modules/@kubernetes/client-node/dist')
const onlyKubeconfig = { name:'ok', setup({onResolve}){ onResolve({filter:/^@kubernetes\/client-node$/},()=>({path:join(client,'config.js')})); onResolve({filter:/^\.\.?\//},({path,resolveDir})=> resolveDir.startsWith(client)&&path.endsWith('.js')?{path:join(resolveDir,path),sideEffects:false}:undefined)}}
const r = await build({absWorkingDir: root, bundle:true, format:'esm',platform:'node',target:'node22.19',minifyWhitespace:true,minifySyntax:true,metafile:true,
 stdin:{contents:"import './main.ts'",resolveDir:join(root,'src'),sourcefile:'bin.ts'},entryNames:'etcd-mirror',chunkNames:'chunks/[name]-[hash]',splitting:true,outdir:out,define:{__VERSION__:'"0"'},plugins:[stub,onlyKubeconfig],banner:{js:"import { createRequire as __createRequire } from 'node:module'\nconst require = __createRequire(import.meta.url)"},logLevel:'error',...(process.env.MINID&&{minifyIdentifiers:true})})
const o=r.metafile.outputs
const seen=new Set(); const st=Object.keys(o).filter(k=>/etcd-mirror\.js$|run-/.test(k))
while(st.length){const k=st.pop(); if(seen.has(k))continue; seen.add(k); for(const i of o[k].imports) if(i.kind==='import-statement'&&!i.external) st.push(i.path)}
let t=0; const by={}; for(const k of seen) for(const [f,v] of Object.entries(o[k].inputs)){t+=v.bytesInOutput; const m=f.match(/node_modules\/((@[^/]+\/)?[^/]+)/); const n=m?m[1]:'src'; by[n]=(by[n]||0)+v.bytesInOutput}
console.log(out,t, 'zod',by.zod)
